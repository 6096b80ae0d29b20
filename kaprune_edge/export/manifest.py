"""What kaprune.json says of the graph: sparsity of every layer, and where the bytes go."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from kaprune_edge.export import sparse_linear
from kaprune_edge.export.graph import constant, is_op, size
from kaprune_edge.export.linear import find_linears

__all__ = ["LayerReport", "byte_report", "layer_report"]


@dataclass(frozen=True)
class LayerReport:
    """One matrix of a linear layer."""

    name: str
    shape: tuple[int, ...]
    """Outputs and inputs."""
    sparsity: float
    """Share of zeros."""
    block: tuple[int, ...] | None
    """Block shape of a packed matrix, None where it is dense."""
    bytes: int
    """Size in the file, indices included."""


def layer_report(model: ir.Model) -> list[LayerReport]:
    """Describe the matrices of all linear layers, shared ones once: packed ones, then dense ones."""
    packed = {node.inputs[1]: _packed_report(node) for node in model.graph if _is_packed(node)}
    dense = {
        layer.weight: LayerReport(
            layer.name, layer.matrix.shape, _zeros(layer.matrix, layer.matrix.size), None, layer.matrix.nbytes
        )
        for layer in find_linears(model.graph)
    }
    return [*packed.values(), *dense.values()]


def byte_report(model: ir.Model, file: Path) -> dict[str, int]:
    """Tell the file's bytes apart: weights of linear layers, their indices, embeddings, all else."""
    packed = [node for node in model.graph if _is_packed(node)]
    gathers = [node for node in model.graph if is_op(node, "Gather")]
    weights = {node.inputs[1] for node in packed} | {layer.weight for layer in find_linears(model.graph)}
    parts = {
        "encoder_values": weights,
        "indices": {value for node in packed for value in node.inputs[2:4]},
        "embeddings": {node.inputs[0] for node in gathers},
    }
    report = {name: sum(map(size, values)) for name, values in parts.items()}
    return report | {"rest": file.stat().st_size - sum(report.values())}


def _packed_report(node: ir.Node) -> LayerReport:
    x, values = node.inputs[:2]
    inputs = x.shape[-1] if x is not None and x.shape is not None else None
    content = constant(values)
    if not isinstance(inputs, int) or content is None:
        raise ValueError(f"{node.name} was not made by PackSparseLinear")
    shape = (node.attributes["out_features"].as_int(), inputs)
    return LayerReport(
        node.name or "",
        shape,
        _zeros(content, shape[0] * shape[1]),
        tuple(node.attributes["blocksize"].as_ints()),
        sum(map(size, node.inputs[1:4])),
    )


def _zeros(content: np.ndarray, weights: int) -> float:
    return 1 - np.count_nonzero(content) / weights


def _is_packed(node: ir.Node) -> bool:
    return (node.domain, node.op_type) == (sparse_linear.DOMAIN, sparse_linear.OP_TYPE)
