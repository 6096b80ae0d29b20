import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import filelock
import numpy as np
import pytest
import tiny
import torch

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.export import export_model

# Whoever starts the tests in the background ignores interrupts, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

RELEASES = Path(__file__).parents[1] / "build" / "onnxruntime"
OLDEST = "1.20.1"
"""The oldest onnxruntime that is promised."""
RUN = """
import sys
import numpy, onnxruntime
model, inputs, outputs, release = sys.argv[1:]
assert onnxruntime.__version__ == release, onnxruntime.__version__
feeds = dict(numpy.load(inputs))
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
feeds = {node.name: feeds[node.name] for node in session.get_inputs()}
numpy.save(outputs, session.run(None, feeds)[0])
"""


@pytest.fixture(autouse=True)
def own_signals():
    """Take the handlers of a command away again."""
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Make a tiny pretrained checkpoint folder of an architecture."""

    def make(model_type="bert", **settings):
        folder = tmp_path_factory.mktemp(model_type) / "checkpoint"
        tokenizer = tiny.make_tokenizer(model_type)
        tiny.make_model(model_type, vocab_size=len(tokenizer), **settings).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return make


@pytest.fixture(scope="session")
def sparse_deployment(tmp_path_factory):
    """Export (once each) a tiny model with a fifth of its 4x1 blocks, given options of the export."""

    @cache
    def make(**options):
        tokenizer = tiny.make_tokenizer("bert")
        model = tiny.make_model("bert", vocab_size=len(tokenizer))
        with torch.no_grad():
            for weight in encoder_matrices(model).values():
                kept = torch.rand(weight.shape[0] // 4, weight.shape[1]) < 0.2
                weight *= kept.repeat_interleave(4, dim=0)
        folder = tmp_path_factory.mktemp("deployment")
        model.save_pretrained(folder / "checkpoint")
        tokenizer.save_pretrained(folder / "checkpoint")
        return export_model(folder / "checkpoint", folder / "tiny", **options).folder

    return make


@pytest.fixture(scope="session")
def task_spec(tmp_path_factory):
    """A task of 48 training and 24 evaluation rows that word choice decides."""
    folder = tmp_path_factory.mktemp("task")
    good, bad = "a warm and funny film", "a dull and flat plot"
    for name, rows in (("train", 48), ("eval", 24)):
        lines = [
            json.dumps({"text": " ".join([good if row % 2 else bad, *["the"] * (row % 7)]), "label": row % 2})
            for row in range(rows)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return f"jsonl:{folder / 'train.jsonl'},{folder / 'eval.jsonl'}"


@pytest.fixture(scope="session")
def installed():
    """Install a release beside the environment, once for all runs of the tests."""

    def install(release):
        folder = RELEASES / release
        RELEASES.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                unfinished = folder.with_suffix(".unfinished")
                command = [
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-deps",
                    "--upgrade",
                    "--target",
                ]
                subprocess.run([*command, unfinished, f"onnxruntime=={release}"], check=True)
                unfinished.rename(folder)
        return folder

    return install


@pytest.fixture
def run_on_oldest(installed, tmp_path):
    """Run a file on the oldest onnxruntime that is promised, without our library; gives its first output."""

    def run(model, feeds):
        np.savez(tmp_path / "feeds.npz", **feeds)
        files = [model, tmp_path / "feeds.npz", tmp_path / "output.npy"]
        command = [sys.executable, "-c", RUN, *map(str, files), OLDEST]
        environment = {**os.environ, "PYTHONPATH": str(installed(OLDEST))}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return np.load(files[-1])

    return run
