import contextlib
import json
import warnings

import graphs
import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnxruntime.quantization import quantize_dynamic

from kaprune_edge.encoder import encoder_layers
from kaprune_edge.export import export_model
from kaprune_edge.export.from_file import load_onnx
from kaprune_runtime import InputError

NAMES = ["input_ids", "attention_mask"]


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def silence(model):
    """Cut off a head and some neurons of the first layer."""
    layer = encoder_layers(model)[0]
    layer.attention_output.weight[:, 8:16] = 0
    layer.output.weight[:, :12] = 0


@pytest.fixture(scope="module")
def exported(sparse_checkpoint):
    """Export a sparse checkpoint with PyTorch's own exporters; gives file and model."""

    def make(model_type="bert", *, opset=17, attention="sdpa", dynamo=False, axes=("b", "s")):
        folder, model = sparse_checkpoint(model_type, change=silence)
        model.set_attn_implementation(attention)
        file = folder / "exported.onnx"
        example = (torch.full((2, 8), 7), torch.ones(2, 8, dtype=torch.int64))
        named = {name: dict(enumerate(axes)) for name in NAMES} if axes else None
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Logits(model).eval(),
                example,
                file,
                dynamo=dynamo,
                opset_version=opset,
                input_names=NAMES,
                output_names=["logits"],
                verbose=False,
                **({"dynamic_shapes": tuple(named.values())} if dynamo else {"dynamic_axes": named}),
            )
        return file, model

    return make


@pytest.mark.parametrize(
    ("model_type", "settings"),
    [
        ("bert", {"opset": 14, "attention": "eager"}),
        ("roberta", {"opset": 17, "attention": "eager"}),
        ("electra", {"opset": 17}),
        ("distilbert", {"opset": 18, "dynamo": True}),
        ("mpnet", {"opset": 20, "dynamo": True, "attention": "eager"}),
    ],
)
def test_files_of_pytorchs_exporters(exported, run_on_oldest, tmp_path, model_type, settings):
    """Opset 14 has neither LayerNormalization nor Gelu, 17 no Gelu; fused attention guards its softmax."""
    file, model = exported(model_type, **settings)
    result = export_model(file, tmp_path / "deployment")
    assert result.parity_error < 1e-4
    assert result.sparsity > 0.75
    changed = ir.load(result.folder / "model.onnx")
    feeds = graphs.token_feeds()
    feeds["input_ids"] %= model.config.vocab_size
    with torch.inference_mode():
        reference = model(**{name: torch.from_numpy(feeds[name]) for name in NAMES}).logits
    np.testing.assert_allclose(graphs.run(changed, feeds), reference, atol=1e-4)
    np.testing.assert_allclose(run_on_oldest(result.folder / "model.onnx", feeds), reference, atol=1e-4)
    layers = json.loads((result.folder / "kaprune.json").read_text())["layers"]
    assert sum(layer["block"] is not None for layer in layers) == 12
    assert {24, 36} <= {layer["shape"][0] for layer in layers}


def test_a_folder_with_an_onnx_file_and_external_data(exported, tmp_path):
    file, _ = exported()
    folder = tmp_path / "external"
    folder.mkdir()
    for neighbour in file.parent.glob("*.json"):
        (folder / neighbour.name).write_bytes(neighbour.read_bytes())
    onnx.save(
        onnx.load(file),
        folder / "model.onnx",
        save_as_external_data=True,
        size_threshold=0,
        location="weights",
    )
    assert export_model(folder, tmp_path / "deployment").sparsity > 0.75
    (folder / "weights").unlink()
    with pytest.raises(InputError, match="lacks its external data"):
        load_onnx(folder / "model.onnx")


@pytest.fixture(scope="module")
def plain(exported):
    return exported()[0]


def changed(change):
    def make(file, copy):
        model = onnx.load(file)
        change(model)
        onnx.save(model, copy)

    return make


def halve_weights(model):
    weight = next(weight for weight in model.graph.initializer if len(weight.dims) == 2)
    weight.CopyFrom(
        onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight).astype(np.float16), weight.name)
    )


def fix_length(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 8


def rename_input(model):
    model.graph.input[0].name = "tokens"
    for node in model.graph.node:
        node.input[:] = ["tokens" if name == "input_ids" else name for name in node.input]


def use_foreign_operator(model):
    model.graph.node[-1].domain = "com.microsoft"
    model.graph.node[-1].op_type = "FusedGemm"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file, copy: None, "does not exist"),
        (lambda file, copy: copy.write_bytes(file.read_bytes()[:5000]), "damaged or cut short"),
        (lambda file, copy: copy.write_text("not ONNX"), "no ONNX file"),
        (lambda file, copy: quantize_dynamic(file, copy), "is quantized"),
        (changed(halve_weights), "not float32|damaged"),
        (changed(fix_length), "fixed batch or length"),
        (changed(rename_input), "takes attention_mask, tokens"),
        (changed(use_foreign_operator), "FusedGemm, which is no standard ONNX"),
    ],
)
def test_files_that_cannot_be_exported_are_refused(plain, tmp_path, damage, message):
    copy = tmp_path / "model.onnx"
    damage(plain, copy)
    with pytest.raises(InputError, match=message) as raised:
        load_onnx(copy)
    assert "\n" not in str(raised.value)


def test_an_exported_file_is_not_exported_again(plain, tmp_path):
    first = export_model(plain, tmp_path / "first").folder
    with pytest.raises(InputError, match="exported by kaprune-edge already"):
        export_model(first / "model.onnx", tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_a_file_without_its_config_is_refused(plain, tmp_path):
    alone = tmp_path / "folder" / "model.onnx"
    alone.parent.mkdir()
    alone.write_bytes(plain.read_bytes())
    with pytest.raises(InputError, match=r"no config\.json beside"):
        export_model(alone, tmp_path / "deployment")
