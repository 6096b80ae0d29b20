"""Deployments and ONNX files behind symbolic links, as a hub's cache keeps them."""

import hashlib
import json
import os
import shutil
import sys

import graphs
import numpy as np
import onnx
import onnx_ir as ir
import pytest

import kaprune_runtime
from kaprune_edge.export.from_file import load_onnx
from kaprune_edge_cli.app import main
from kaprune_runtime import InputError
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


@pytest.mark.parametrize("under", ["", "onnx"])
def test_a_source_with_external_data_behind_links_is_exported(
    dense_graph, tmp_path, under, sparse_deployment
):
    """Both files are links to blobs of other names; plain onnxruntime refuses these."""
    folder = tmp_path / "source"
    shutil.copytree(sparse_deployment(), folder, ignore=shutil.ignore_patterns("model.onnx", "kaprune.json"))
    model, *external = ir.to_proto(dense_graph("bert")), folder / "model.onnx", DATA
    onnx.save(model, external[0], save_as_external_data=True, location=DATA, size_threshold=64)
    snapshot = into_cache(folder, tmp_path / "cache", under=under)
    loaded, reference = load_onnx(snapshot / under / "model.onnx")
    feeds = graphs.token_feeds()
    np.testing.assert_allclose(graphs.run(loaded, feeds), reference(feeds), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/hostname", "sub/../../secret", "..\\secret", "C:\\secret", "", "link"]
)
def test_external_data_outside_the_models_folder_is_refused(dense_graph, tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(10**6))
    (folder / "link").symlink_to(tmp_path / "secret")
    model = ir.to_proto(dense_graph("bert"))
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    onnx.external_data_helper.set_external_data(tensor, location, 0, len(tensor.raw_data))
    tensor.ClearField("raw_data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="external data at"):
        load_onnx(folder / "model.onnx")
    with pytest.raises(InputError, match="cannot load"):
        kaprune_runtime.session(folder / "model.onnx")
