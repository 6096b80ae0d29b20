"""Packed matrices become int8."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from kaprune_edge.export import domain, sparse_linear
from kaprune_edge.export.graph import add_initializer, constant
from kaprune_edge.export.packed import SCALES, PackedMatrix, packed_matrices
from kaprune_edge.sparsity.rounding import round_rows

__all__ = ["QuantizeSparseLinear"]


class QuantizeSparseLinear(ir.passes.InPlacePass):
    """Rounds the values of every packed matrix to int8, symmetric, with a scale for each output.

    - A row becomes multiples of 1/127 of its largest magnitude.
    - What the matrices multiply becomes int8 when the model runs, each token by its own largest magnitude.
    - Given factors, inputs are multiplied by them before they are rounded, and columns divided by them.
    - A matrix that several nodes share is rounded once.
    """

    def __init__(self, factors: Mapping[str, np.ndarray] | None = None) -> None:
        """Choose.

        Args:
            factors: float32 [K], by the name of a matrix's values; those that are left out have none.
        """
        super().__init__()
        self._factors = factors or {}

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Quantize, and define the operator for int8 values."""
        rounded: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
        for node in model.graph:
            for matrix in packed_matrices(node):
                if matrix.values not in rounded:
                    factors = self._factors.get(matrix.values.name or "")
                    rounded[matrix.values] = _round(model.graph, matrix, factors)
                values, scales = rounded[matrix.values]
                node.replace_input_with(matrix.first_input, values)
                node.replace_input_with(matrix.first_input + SCALES, scales)
        for floats in rounded:
            del model.graph.initializers[floats.name or ""]
        if rounded:
            body = sparse_linear.EQUALIZED_INT8_BODY if self._factors else sparse_linear.INT8_BODY
            domain.define(model, body)
        return ir.passes.PassResult(model, modified=bool(rounded))


def _round(graph: ir.Graph, matrix: PackedMatrix, factors: np.ndarray | None) -> tuple[ir.Value, ir.Value]:
    values, crow_indices, col_indices = map(constant, (matrix.values, *matrix.indices))
    if values is None or crow_indices is None or col_indices is None:
        raise ValueError(f"the values of {matrix.name} are no initializer")
    if factors is not None:
        values = values / factors.reshape(-1, matrix.block[1])[col_indices][:, None]
    integers, scales = round_rows(values, crow_indices)
    if factors is not None:
        scales = np.concatenate([scales, factors])
    return (
        add_initializer(graph, f"{matrix.name}.integers", integers),
        add_initializer(graph, f"{matrix.name}.scales", scales),
    )
