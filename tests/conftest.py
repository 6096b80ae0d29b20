import json
import signal
from functools import cache

import pytest
import tiny
import torch

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.export import export_model

# Whoever starts the tests in the background ignores interrupts, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


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
