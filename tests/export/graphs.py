"""Changing, running and reading ONNX graphs."""

import itertools

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import tiny
import torch

from kaprune_edge.encoder import LAYOUTS, encoder_matrices
from kaprune_edge.sparsity.patterns import Blocks

VOCABULARY = 300
ARCHITECTURES = sorted(LAYOUTS)


def make_model(model_type, vocab_size=VOCABULARY, **settings):
    """Make a tiny model whose biases and normalizations are random too."""
    model = tiny.make_model(model_type, vocab_size=vocab_size, **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def parse(body, signature, **initializers):
    """Build a model from ONNX's text form and arrays."""
    proto = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 20]> tested {signature} {{ {body} }}'
    )
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in initializers.items()
    )
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))


def copy(model):
    return ir.serde.deserialize_model(ir.serde.serialize_model(model))


def run(model, feeds):
    """Run on stock ONNX Runtime, after ONNX's own check."""
    proto = ir.serde.serialize_model(model)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {node.name: feeds[node.name] for node in session.get_inputs()})[0]


def token_feeds(batch=3, length=17):
    """Random ids without special tokens, the last row padded by half."""
    ids = np.random.default_rng(length).integers(5, VOCABULARY, (batch, length))
    mask = np.ones_like(ids)
    mask[-1, (length + 1) // 2 :] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def assert_same(changed, original, tolerance=1e-5):
    """Compare two text encoders at several batches and lengths."""
    for batch, length in ((1, 1), (3, 17), (2, 40)):
        feeds = token_feeds(batch, length)
        np.testing.assert_allclose(run(changed, feeds), run(original, feeds), atol=tolerance)


def layer_name(model_type, role, index=0):
    """Name a linear layer of an encoder; `role` is a field of LayerLayout."""
    layout = LAYOUTS[model_type]
    return f"{model_type}.{layout.layers}.{index}.{getattr(layout, role)}"


def edit(model, name, change):
    """Change a layer's matrix, [N, K], in place."""
    weight = model.graph.initializers[f"{name}.weight.T"]
    content = weight.const_value.numpy().copy()
    change(content.T)
    weight.const_value = ir.tensor(content, name=weight.name)


def width(model, name):
    """Read how many outputs a layer has."""
    return model.graph.initializers[f"{name}.weight.T"].const_value.shape[1]


def prune_graph(model, block=(1, 1), sparsity=0.8):
    """Prune every matrix of the encoder's layers."""
    roles = ("query", "key", "value", "attention_output", "intermediate", "output")
    names = {layer_name(kind, role, index) for kind in LAYOUTS for role in roles for index in (0, 1)}
    for name in names:
        if f"{name}.weight.T" in model.graph.initializers:
            edit(model, name, lambda matrix: keep_largest(matrix, block, sparsity))


def keep_largest(matrix, block, sparsity):
    matrix *= Blocks(*block).mask(torch.from_numpy(np.abs(matrix)), sparsity).numpy()


def prune(model, blocks, sparsity):
    """Prune the matrices in these blocks, in turn."""
    with torch.no_grad():
        for weight, block in zip(encoder_matrices(model).values(), itertools.cycle(blocks), strict=False):
            weight.mul_(Blocks(*block).mask(weight.abs(), sparsity))


def op_types(model):
    return [node.op_type for node in model.graph]


def nodes(model, op_type):
    return [node for node in model.graph if node.op_type == op_type]
