import contextlib
import hashlib
import json
import platform
import subprocess

import graphs
import numpy as np
import onnx_ir as ir
import pytest
import tiny
import torch
from transformers import AutoConfig, AutoTokenizer

from kaprune_edge.encoder import encoder_layers
from kaprune_edge.export import export_model, model_card
from kaprune_edge.export.quantized_table import code_groups, scale_rows
from kaprune_runtime import Classifier, InputError, KapruneError

TEXTS = [
    "a warm and funny film",
    "flat",
    "the plot of the film is dull , the acting flat and the end in sight",
]


@pytest.fixture(scope="module")
def bert(sparse_checkpoint, tmp_path_factory):
    """A sparse BERT with a dead head and an all-zero matrix, exported."""

    def change(model):
        first, second = encoder_layers(model)
        first.value.weight[8:16] = 0
        second.query.weight.zero_()

    folder, model = sparse_checkpoint("bert", change=change, label_names=["bad", "good"])
    (folder / "metrics.json").write_text('{"steps": 9, "metrics": {"accuracy": 0.875}}')
    output = tmp_path_factory.mktemp("deployment") / "sparse-bert"
    return export_model(folder, output), model


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_texts_get_pytorchs_logits(sparse_checkpoint, tmp_path, model_type):
    folder, model = sparse_checkpoint(model_type, blocks=[(1, 1)])
    result = export_model(folder, tmp_path / "deployment")
    assert result.parity_error < 1e-4
    assert result.sparsity == pytest.approx(0.8, abs=0.01)
    batch = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding=True, truncation=True, max_length=40, return_tensors="pt"
    )
    with torch.inference_mode():
        reference = model(**batch).logits
    np.testing.assert_allclose(Classifier(result.folder).logits(TEXTS), reference, atol=1e-4)


def test_the_manifest_describes_every_file(bert):
    result, _ = bert
    manifest = json.loads((result.folder / "kaprune.json").read_text())
    files = {path.name for path in result.folder.iterdir()}
    assert files == {*manifest["files"], "kaprune.json"}
    assert {"model.onnx", "config.json", "tokenizer.json", "README.md"} <= files
    assert ("libkaprune.so" in files) == (platform.machine() == "x86_64")
    for name, record in manifest["files"].items():
        content = (result.folder / name).read_bytes()
        assert record == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert sum(manifest["bytes"].values()) == result.file_bytes
    assert manifest["operators"] == {"": 20, "ai.kaprune": 1}
    assert manifest["metrics"] == {"accuracy": 0.875}
    assert manifest["parity"] == {"largest_logit_difference": result.parity_error, "tolerance": 1e-4}


def test_the_card_tells_what_a_score_was_measured_on():
    """The run's score is no score of rounded weights or of a smaller vocabulary."""
    facts = {
        "title": "t", "source": "s", "machine": "m", "file_bytes": 1, "labels": ["bad"], "packed": 1,
        "sparsity": 0.5, "parity": 0.0, "rounding": 0.25, "metrics": {"accuracy": 0.875},
    }  # fmt: skip
    plain = model_card.render("text-classification", rounded={}, trimmed=False, **facts)
    assert "| accuracy | 0.875 |" in plain and "before" not in plain
    rounded = model_card.render("text-classification", rounded={"weights": "int8"}, trimmed=False, **facts)
    assert "| accuracy before weights were rounded | 0.875 |" in rounded
    assert "| largest difference of a logit after quantization | 2.5e-01 |" in rounded
    both = model_card.render("text-classification", rounded={"weights": "int8"}, trimmed=True, **facts)
    assert "| accuracy before the vocabulary was trimmed and weights were rounded | 0.875 |" in both


def test_the_manifest_tells_the_sparsity_of_every_layer(bert):
    result, model = bert
    manifest = json.loads((result.folder / "kaprune.json").read_text())
    layers = {layer["name"]: layer for layer in manifest["layers"]}
    assert len(layers) == 14
    second = f"{graphs.layer_name('bert', 'query', 1)}"
    assert layers[second]["sparsity"] == 1
    assert layers[graphs.layer_name("bert", "query")]["shape"] == [24, 32]
    dense = {name for name, layer in layers.items() if layer["block"] is None}
    assert dense == {"bert.pooler.dense", "classifier"}
    name = graphs.layer_name("bert", "output", 1)
    weight = model.get_parameter(f"{name}.weight")
    assert layers[name]["block"] == [4, 1]
    assert layers[name]["sparsity"] == pytest.approx(1 - weight.count_nonzero().item() / weight.numel())
    assert sum(layer["bytes"] for layer in layers.values()) == sum(
        manifest["bytes"][part] for part in ("encoder_values", "indices")
    )
    assert manifest["bytes"]["embeddings"] == 4 * 32 * (model.config.vocab_size + 42 + 2)


def test_config_and_tokenizer_are_those_of_transformers(bert):
    result, model = bert
    config = AutoConfig.from_pretrained(result.folder)
    assert (config.model_type, config.architectures) == ("bert", ["BertForSequenceClassification"])
    assert config.id2label == {0: "bad", 1: "good"}
    tokenizer = AutoTokenizer.from_pretrained(result.folder)
    assert tokenizer(TEXTS[0])["input_ids"]
    assert len(tokenizer) == model.config.vocab_size
    settings = json.loads((result.folder / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast", "transformers 4 knows no other"


def test_the_model_cards_code_runs(bert):
    result, model = bert
    card = (result.folder / "README.md").read_text()
    assert "| labels | bad, good |" in card
    assert "| accuracy | 0.875 |" in card
    code = card.split("```python\n")[1].split("```")[0]
    names = {}
    with contextlib.chdir(result.folder):
        exec(code, names)
    batch = AutoTokenizer.from_pretrained(result.folder)("A fine film.", return_tensors="pt")
    with torch.inference_mode():
        np.testing.assert_allclose(names["logits"], model(**batch).logits, atol=1e-4)


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_rounded_embeddings(sparse_checkpoint, tmp_path, kind):
    """The logits are those of PyTorch with a rounded table; how far that moves them is written down."""
    folder, model = sparse_checkpoint("roberta")
    result = export_model(folder, tmp_path / "deployment", embeddings=kind)
    assert result.parity_error < 1e-4 < result.quantization_error < 1
    manifest = json.loads((result.folder / "kaprune.json").read_text())
    assert manifest["quantization"] == {
        "embeddings": kind,
        "largest_logit_difference": result.quantization_error,
    }
    assert f"| embeddings | {kind} |" in (result.folder / "README.md").read_text()
    rows, width = model.config.vocab_size, model.config.hidden_size
    words = rows * (width + 4) if kind == "int8" else rows * (width // 2 + 2) + 8 * 256
    others = (model.config.max_position_embeddings + model.config.type_vocab_size) * width
    assert manifest["bytes"]["embeddings"] == words + 4 * others

    table = model.base_model.embeddings.word_embeddings.weight.data
    before = table.clone()
    table.copy_(torch.from_numpy(rounded(table.numpy(), kind)))
    assert 0 < (table - before).norm() < 0.15 * before.norm()
    batch = AutoTokenizer.from_pretrained(folder)(TEXTS[:2], padding=True, return_tensors="pt")
    with torch.inference_mode():
        reference = model(**batch).logits
    np.testing.assert_allclose(Classifier(result.folder).logits(TEXTS[:2]), reference, atol=1e-4)


def rounded(table, kind):
    if kind == "int8":
        rows = scale_rows(table)
        return rows.values * rows.scales
    coded = code_groups(table)
    return coded.pairs[coded.codes].reshape(table.shape) * coded.scales[:, 0].astype(np.float32)


def test_logits_too_far_from_pytorchs_fail_the_export(sparse_checkpoint, tmp_path):
    """They are so large that float32 cannot give them within the tolerance."""
    folder, _ = sparse_checkpoint(change=lambda model: model.classifier.weight.mul_(1e6))
    with pytest.raises(KapruneError, match="logits differ"):
        export_model(folder, tmp_path / "deployment")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def onnx_file(dense_graph, tmp_path_factory):
    """A pruned ONNX file with its config and tokenizer."""

    def make(change=graphs.prune_graph):
        folder = tmp_path_factory.mktemp("onnx")
        tiny.make_tokenizer("bert").save_pretrained(folder)
        graphs.make_model("bert").config.save_pretrained(folder)
        model = dense_graph("bert")
        change(model)
        ir.save(model, folder / "model.onnx")
        return folder / "model.onnx"

    return make


def test_weights_that_are_no_numbers_are_named(onnx_file, tmp_path):
    def spoil(model):
        graphs.edit(model, graphs.layer_name("bert", "output"), lambda matrix: matrix.fill(np.nan))

    with pytest.raises(InputError, match=r"output\.dense\.weight\.T of model\.onnx has .* not finite"):
        export_model(onnx_file(spoil), tmp_path / "deployment")
    assert not list(tmp_path.iterdir())


def test_logits_that_are_no_numbers_fail_the_export(onnx_file, tmp_path):
    """The weights are finite, what they make is not."""

    def overflow(model):
        graphs.edit(model, graphs.layer_name("bert", "output"), lambda matrix: matrix.fill(3e38))

    with pytest.raises(KapruneError, match=r"logits differ .* by inf"):
        export_model(onnx_file(overflow), tmp_path / "deployment")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def tiny_disk(tmp_path):
    """Mount a file system of a few kilobytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "none", disk], capture_output=True
    ).returncode:
        pytest.skip("only root can mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_leaves_nothing(onnx_file, tiny_disk):
    source = onnx_file()
    with pytest.raises(KapruneError, match="the disk is full"):
        export_model(source, tiny_disk / "deployment")
    assert not list(tiny_disk.iterdir())


def test_what_exists_is_not_overwritten(onnx_file, tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(InputError, match="exists; choose another"):
        export_model(onnx_file(), tmp_path)
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("model.onnx", "riscv", "unknown target 'riscv'; choose from x86-64, .* arm64-i8mm, portable"),
        ("missing-folder", "x86-64", "missing-folder"),
        ("missing.onnx", "x86-64", "does not exist"),
    ],
)
def test_wrong_arguments_leave_nothing(onnx_file, tmp_path, source, target, message):
    folder = onnx_file().parent
    with pytest.raises(InputError, match=message):
        export_model(folder / source, tmp_path / "deployment", target=target)
    assert not list(tmp_path.iterdir())
