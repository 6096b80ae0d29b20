"""Deployments and ONNX files behind symbolic links, as a hub's cache keeps them."""

import hashlib
import json
import os
import shutil
import sys

import numpy as np
import pytest

import kaprune_runtime
from kaprune_edge_cli.app import main
from kaprune_runtime.onnx_file import map_weights

TEXTS = ["a warm and funny film", "dull"]
DATA = "model.onnx_data"


def into_cache(folder, cache, *, under=""):
    """Lay a folder out as huggingface_hub does: files named by their digest, and links to them."""
    snapshot = cache / "snapshots" / "0123abcd"
    (cache / "blobs").mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        blob = cache / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copy(path, blob)
        link = snapshot / (under if path.name.startswith("model.onnx") else "") / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


@pytest.fixture
def command(capsys, monkeypatch):
    """Run a command of kaprune-edge; gives what it prints."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["kaprune-edge", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        return printed.out

    return run


@pytest.fixture(scope="module")
def cached(sparse_deployment, tmp_path_factory):
    """A deployment in a cache, and the deployment itself."""
    folder = sparse_deployment()
    return into_cache(folder, tmp_path_factory.mktemp("cache")), folder


def test_a_cached_deployment_answers_as_the_folder_itself(cached):
    snapshot, folder = cached
    expected = kaprune_runtime.Classifier(folder).logits(TEXTS)
    np.testing.assert_array_equal(kaprune_runtime.Classifier(snapshot).logits(TEXTS), expected)
    assert map_weights(snapshot / "model.onnx") is not None


@pytest.mark.parametrize("words", [["predict", *TEXTS], ["evaluate", "--json"], ["bench", "--json", "-"]])
def test_commands_take_a_cached_deployment(cached, task_spec, command, words):
    snapshot, folder = cached
    name, *rest = words
    if name == "bench":
        rest += ["--sequence-length", 8, "--rounds", 2, "--baseline", folder]
    rest += ["--task", task_spec] * (name == "evaluate")
    printed = command(name, snapshot, *rest)
    if name == "predict":
        assert printed == command(name, folder, *rest)
    else:
        assert json.loads(printed)
