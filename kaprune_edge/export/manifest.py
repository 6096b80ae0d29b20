"""What kaprune.json says of the graph: sparsity of every layer, and where the bytes go."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from kaprune_edge.export.graph import constant, is_op, size
from kaprune_edge.export.linear import Linear, find_linears
from kaprune_edge.export.packed import PackedMatrix, packed_matrices
from kaprune_edge.export.quantized_linear import QuantizedLinear, find_quantized_linears

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
    packed = {matrix.values: _packed_report(matrix) for matrix in _packed(model)}
    dense = {
        layer.weight: LayerReport(
            layer.name, layer.matrix.shape, _zeros(layer.matrix, layer.matrix.size), None, layer.matrix.nbytes
        )
        for layer in _dense(model)
    }
    return [*packed.values(), *dense.values()]


def byte_report(model: ir.Model, file: Path) -> dict[str, int]:
    """Tell the file's bytes apart: weights of linear layers, their indices, embeddings, all else."""
    packed = _packed(model)
    gathers = [node for node in model.graph if is_op(node, "Gather")]
    dense = [layer.weight for layer in _dense(model)]
    parts: dict[str, set[ir.Value | None]] = {
        "encoder_values": {*(matrix.values for matrix in packed), *dense},
        "indices": {value for matrix in packed for value in matrix.indices},
        "embeddings": {node.inputs[0] for node in gathers},
    }
    report = {name: sum(map(size, values)) for name, values in parts.items()}
    return report | {"rest": file.stat().st_size - sum(report.values())}


def _packed(model: ir.Model) -> list[PackedMatrix]:
    return [matrix for node in model.graph for matrix in packed_matrices(node)]


def _dense(model: ir.Model) -> list[Linear | QuantizedLinear]:
    return [*find_linears(model.graph), *find_quantized_linears(model.graph)]


def _packed_report(matrix: PackedMatrix) -> LayerReport:
    content = constant(matrix.values)
    if content is None:
        raise ValueError(f"the values of {matrix.name} are no initializer")
    return LayerReport(
        matrix.name,
        matrix.shape,
        _zeros(content, matrix.shape[0] * matrix.shape[1]),
        matrix.block,
        sum(map(size, (matrix.values, *matrix.indices))),
    )


def _zeros(content: np.ndarray, weights: int) -> float:
    return 1 - np.count_nonzero(content) / weights
