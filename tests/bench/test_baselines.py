import shutil

import numpy as np
import pytest
import torch
from onnx import load, numpy_helper, parser, save
from transformers import BertForSequenceClassification

from kaprune_edge.bench.baselines import make_baseline
from kaprune_edge.devices import LocalDevice
from kaprune_edge.export.quantize import dynamic_int8
from kaprune_runtime import Classifier, InputError, KapruneError, session
from kaprune_runtime.deployment import read_config
from kaprune_runtime.machine import int8_saturates


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KAPRUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "baselines"


def parameters(folder):
    return sum(int(np.prod(tensor.dims)) for tensor in load(folder / "model.onnx").graph.initializer)


def run(folder, length=16):
    loaded = session(folder)
    ids = np.arange(5, 5 + length)[None]
    values = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return loaded.run(None, {node.name: values[node.name] for node in loaded.get_inputs()})[0]


def largest_integer(folder):
    weights = [numpy_helper.to_array(each) for each in load(folder / "model.onnx").graph.initializer]
    return max(np.abs(each.astype(int)).max() for each in weights if each.dtype == np.int8 and each.ndim == 2)


def test_tinybert_has_its_published_size(cache, small, tmp_path):
    baseline = make_baseline("tinybert-4l-312d", small[0], tmp_path)
    assert baseline.random_weights
    assert 14.2e6 < parameters(baseline.folder) < 14.6e6  # 14.5 M (Jiao et al., 2020, table 1)
    assert np.isfinite(run(baseline.folder, 512)).all()
    assert read_config(baseline.folder).max_tokens == 512


def test_dense_is_the_deployment_s_architecture_and_is_made_once(cache, small, tmp_path):
    first = make_baseline("dense", small[0], tmp_path)
    made = (first.folder / "model.onnx").stat().st_mtime_ns
    assert parameters(first.folder) == pytest.approx(parameters(small[0]), rel=0.01)
    assert make_baseline("dense", small[0], tmp_path).folder == first.folder
    assert (first.folder / "model.onnx").stat().st_mtime_ns == made
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [first.folder.name]
    assert list(tmp_path.iterdir()) == [cache.parent]


def test_int8_is_quantized_and_close(cache, deployment, tmp_path):
    folder, _ = deployment(128)
    for spec in (f"{folder}:int8", "dense:int8"):
        baseline = make_baseline(spec, folder, tmp_path)
        assert "MatMulInteger" in {node.op_type for node in load(baseline.folder / "model.onnx").graph.node}
    words = ["the", "film", "was", "not", "good", "a", "dull", "plot", "and", "warm"]
    texts = [" ".join(words[start:end]) for start in range(8) for end in range(start + 1, 10)]
    whole = Classifier(folder).logits(texts)
    quantized = Classifier(make_baseline(f"{folder}:int8", folder, tmp_path).folder).logits(texts)
    assert not np.array_equal(quantized, whole)
    margins = quantized[:, 1] - quantized[:, 0], whole[:, 1] - whole[:, 0]
    assert np.corrcoef(*margins)[0, 1] > 0.9


def test_a_deployment_takes_part_as_it_is(small, tmp_path):
    baseline = make_baseline(str(small[0]), small[0], tmp_path)
    assert (baseline.name, baseline.folder, baseline.random_weights) == (str(small[0]), small[0], False)


def test_a_checkpoint_is_exported(checkpoint, tokenizer, small, tmp_path):
    source = checkpoint(96)
    baseline = make_baseline(str(source), small[0], tmp_path)
    encoded = tokenizer(["a warm film"], return_tensors="pt")
    with torch.no_grad():
        expected = BertForSequenceClassification.from_pretrained(source).eval()(**encoded).logits
    np.testing.assert_allclose(Classifier(baseline.folder).logits(["a warm film"]), expected, atol=1e-4)
    assert not baseline.random_weights


def test_a_checkpoint_without_weights_is_refused(checkpoint, small, tmp_path):
    source = shutil.copytree(checkpoint(32), tmp_path / "source")
    (source / "model.safetensors").unlink()
    with pytest.raises(InputError, match="weights"):
        make_baseline(str(source), small[0], tmp_path)


def test_an_unwritable_cache_is_reported(small, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KAPRUNE_CACHE", str(tmp_path / "file"))
    with pytest.raises(KapruneError, match="set KAPRUNE_CACHE"):
        make_baseline("dense", small[0], tmp_path)


def test_int8_products_do_not_saturate(tmp_path):
    """Large weights side by side: without VNNI, x86 adds two products in 16 bits."""
    random = np.random.default_rng(0)
    weight = random.uniform(0.5, 1, (64, 16)).astype(np.float32)
    x = random.uniform(0, 1, (5, 64)).astype(np.float32)
    x[:, 0] = 1
    save(
        parser.parse_model(
            '<ir_version: 10, opset_import: ["" : 20]> tested '
            "(float[tokens, 64] x) => (float[tokens, 16] y) { y = MatMul (x, weight) }"
        ),
        tmp_path / "dense.onnx",
    )
    model = load(tmp_path / "dense.onnx")
    model.graph.initializer.append(numpy_helper.from_array(weight, "weight"))
    save(model, tmp_path / "dense.onnx")
    saturates = LocalDevice().int8_saturates
    dynamic_int8(tmp_path / "dense.onnx", tmp_path / "int8.onnx", saturates=saturates)
    actual = session(tmp_path / "int8.onnx").run(None, {"x": x})[0]
    np.testing.assert_allclose(actual, x @ weight, rtol=0.01)


@pytest.mark.parametrize(
    ("machine", "features", "saturates"),
    [
        ("x86_64", ("avx2", "fma"), True),
        ("x86_64", ("avx2", "fma", "avx512f"), True),
        ("x86_64", (), True),
        ("AMD64", (), True),
        ("x86_64", ("avx2", "avx_vnni"), False),
        ("x86_64", ("avx512f", "avx512_vnni"), False),
        ("aarch64", ("asimd",), False),
    ],
)
def test_which_processors_saturate(machine, features, saturates):
    assert int8_saturates(machine, features) is saturates


def test_the_device_s_processor_decides(cache, small, tmp_path):
    whole, less = (
        make_baseline(f"{small[0]}:int8", small[0], tmp_path, saturates=saturates).folder
        for saturates in (False, True)
    )
    assert largest_integer(whole) == 127
    assert largest_integer(less) == 64
    made = {
        make_baseline("dense:int8", small[0], tmp_path, saturates=saturates).folder
        for saturates in (False, True)
    }
    assert len(made) == 2
