"""Dense linear layers with int8 weights, as `QuantizeDenseLinear` writes them."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from kaprune_edge.export.graph import constant, is_op

__all__ = ["INTEGERS", "QuantizedLinear", "find_quantized_linears"]

INTEGERS = ".integers"
"""Ends the name of an int8 weight, after the layer's name."""


@dataclass(frozen=True, eq=False)
class QuantizedLinear:
    """Y = X · (scales * integers) + bias, in standard operators."""

    weight: ir.Value
    """Initializer, int8 [K, N]."""
    matrix: np.ndarray
    """Its content as [N, K]."""

    @property
    def name(self) -> str:
        """The layer's name."""
        return (self.weight.name or "").removesuffix(INTEGERS)


def find_quantized_linears(graph: ir.Graph) -> list[QuantizedLinear]:
    """Find all dense layers of int8 weights, in the graph's order."""
    weights = (node.inputs[0] for node in graph if is_op(node, "DequantizeLinear"))
    found = ((weight, constant(weight)) for weight in weights)
    return [
        QuantizedLinear(weight, content.T)
        for weight, content in found
        if weight is not None and content is not None and content.ndim == 2
    ]
