"""Matrices that are not packed become int8."""

import numpy as np
import onnx_ir as ir

from kaprune_edge.export.graph import add_initializer
from kaprune_edge.export.linear import Linear, find_linears
from kaprune_edge.export.quantized_linear import INTEGERS
from kaprune_edge.export.quantized_table import scale_rows

__all__ = ["QuantizeDenseLinear"]

SMALLEST = 1 << 16
"""Bytes of a float32 matrix below which rounding saves too little to be worth its error."""


class QuantizeDenseLinear(ir.passes.InPlacePass):
    """Rounds the weight of every large dense linear layer to int8, symmetric, with a scale for each output.

    - A row becomes multiples of 1/127 of its largest magnitude.
    - The layer becomes DequantizeLinear, MatMul and Add. Recent ONNX Runtimes make these one product that
      reads int8 weights, and round what it multiplies too unless told otherwise; older ones expand the
      weight.
    - A matrix that is also used otherwise stays as it is.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Quantize."""
        layers = [
            layer
            for layer in find_linears(model.graph)
            if layer.matrix.nbytes >= SMALLEST and layer.owns_weight
        ]
        for layer in layers:
            _replace(model.graph, layer)
        return ir.passes.PassResult(model, modified=bool(layers))


def _replace(graph: ir.Graph, layer: Linear) -> None:
    rounded = scale_rows(layer.matrix)
    values = add_initializer(graph, f"{layer.name}{INTEGERS}", rounded.values.T)
    # A row of zeros has any scale, but standard ONNX none of zero.
    scales = np.where(rounded.scales == 0, 1, rounded.scales).astype(np.float32).reshape(-1)
    steps = add_initializer(graph, f"{layer.name}.scales", scales)
    weight = ir.node("DequantizeLinear", [values, steps], {"axis": 1}, name=f"{layer.name}.weight")
    nodes = [weight, ir.node("MatMul", [layer.x, weight.outputs[0]], name=layer.nodes[0].name)]
    if layer.bias is not None:
        nodes.append(ir.node("Add", [nodes[-1].outputs[0], layer.bias], name=f"{layer.name}.bias"))
    ir.convenience.replace_nodes_and_values(
        graph, layer.nodes[-1], layer.nodes, nodes, [layer.y], nodes[-1].outputs
    )
    del graph.initializers[layer.weight.name or ""]
