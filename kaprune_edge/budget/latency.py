"""How long a sparse matrix, and a whole sparse encoder, take ONNX Runtime on this machine."""

import copy
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnx_ir as ir
import torch
from transformers import PreTrainedModel

from kaprune_edge.checkpoints import max_tokens
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.export import to_onnx
from kaprune_edge.export.domain import OPSET
from kaprune_edge.export.graph import add_initializer
from kaprune_edge.export.onnx_file import write_onnx
from kaprune_edge.export.passes import optimization
from kaprune_edge.sparsity.patterns import Pattern
from kaprune_runtime.deployment import MODEL
from kaprune_runtime.session import session

TOKENS = 128
RUNS = 30
_WARM_UP_SECONDS = 0.1


def linear_milliseconds(shape: tuple[int, int], pattern: Pattern, sparsity: float) -> float:
    """Time one linear layer as a deployment would have it, on `TOKENS` tokens and one thread.

    Args:
        shape: Outputs and inputs.
        pattern: Which weights go together; those that stay are drawn at random.
        sparsity: Share of the weights to remove.
    """
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(shape, generator=random)
    weight *= pattern.mask(torch.rand(shape, generator=random), sparsity)
    x = ir.val("x", ir.DataType.FLOAT, ["tokens", shape[1]])
    graph = ir.Graph([x], [], nodes=[], opset_imports={"": OPSET}, name="linear")
    product = ir.node("MatMul", [x, add_initializer(graph, "layer.weight.T", weight.T.numpy())])
    total = ir.node(
        "Add", [product.outputs[0], add_initializer(graph, "layer.bias", np.ones(shape[0], np.float32))]
    )
    (y,) = total.outputs
    y.name, y.type, y.shape = "y", ir.TensorType(ir.DataType.FLOAT), ir.Shape(["tokens", shape[0]])
    graph.extend([product, total])
    graph.outputs.append(y)
    tokens = np.random.default_rng(0).standard_normal((TOKENS, shape[1]), np.float32)
    return _milliseconds(ir.Model(graph, ir_version=10), {"x": tokens})


def model_milliseconds(model: PreTrainedModel, pattern: Pattern, sparsity: Mapping[str, float]) -> float:
    """Time a whole model on a text of `TOKENS` tokens, or of as many as it takes, and one thread.

    Args:
        model: Left as it is.
        pattern: Which weights go together; the largest stay.
        sparsity: Matrix -> share of the weights to remove.
    """
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in encoder_matrices(pruned).items():
            weight.mul_(pattern.mask(weight.abs(), sparsity[name]))
    graph = to_onnx(pruned)
    shape = 1, min(TOKENS, max_tokens(model.config))
    ids = np.random.default_rng(0).integers(model.config.vocab_size // 2, model.config.vocab_size, shape)
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return _milliseconds(graph, {value.name or "": feeds[value.name or ""] for value in graph.graph.inputs})


def _milliseconds(model: ir.Model, feeds: Mapping[str, np.ndarray]) -> float:
    """Pack a model as an export does, and take the median of its runs."""
    optimization()(model)
    with TemporaryDirectory() as folder:
        write_onnx(model, Path(folder) / MODEL)
        loaded = session(Path(folder) / MODEL)
        start = time.monotonic()
        while time.monotonic() < start + _WARM_UP_SECONDS:
            loaded.run(None, dict(feeds))
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            loaded.run(None, dict(feeds))
            times.append(time.perf_counter() - start)
    return 1000 * median(times)
