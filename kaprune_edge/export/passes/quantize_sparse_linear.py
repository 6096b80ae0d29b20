"""Packed matrices become int8."""

import onnx_ir as ir

from kaprune_edge.export import domain, sparse_linear
from kaprune_edge.export.graph import add_initializer, constant
from kaprune_edge.export.packed import SCALES, PackedMatrix, packed_matrices
from kaprune_edge.sparsity.rounding import round_rows

__all__ = ["QuantizeSparseLinear"]


class QuantizeSparseLinear(ir.passes.InPlacePass):
    """Rounds the values of every packed matrix to int8, symmetric, with a scale for each output.

    - A row becomes multiples of 1/127 of its largest magnitude.
    - What the matrices multiply becomes int8 when the model runs, each token by its own largest magnitude:
      nothing is calibrated.
    - A matrix that several nodes share is rounded once.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Quantize, and define the operator for int8 values."""
        rounded: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
        for node in model.graph:
            for matrix in packed_matrices(node):
                if matrix.values not in rounded:
                    rounded[matrix.values] = _round(model.graph, matrix)
                values, scales = rounded[matrix.values]
                node.replace_input_with(matrix.first_input, values)
                node.replace_input_with(matrix.first_input + SCALES, scales)
        for floats in rounded:
            del model.graph.initializers[floats.name or ""]
        if rounded:
            domain.define(model, sparse_linear.INT8_BODY)
        return ir.passes.PassResult(model, modified=bool(rounded))


def _round(graph: ir.Graph, matrix: PackedMatrix) -> tuple[ir.Value, ir.Value]:
    values, crow_indices = constant(matrix.values), constant(matrix.indices[0])
    if values is None or crow_indices is None:
        raise ValueError(f"the values of {matrix.name} are no initializer")
    integers, scales = round_rows(values, crow_indices)
    return (
        add_initializer(graph, f"{matrix.name}.integers", integers),
        add_initializer(graph, f"{matrix.name}.scales", scales),
    )
