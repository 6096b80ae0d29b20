"""Layer normalization written out becomes one node."""

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import pattern

from kaprune_edge.export.graph import constant

__all__ = ["FuseLayerNorm"]


class FuseLayerNorm(ir.passes.InPlacePass):
    """Replaces (x - mean) / √(variance + ε) · scale + bias over the last axis by LayerNormalization.

    The outputs are the same, up to rounding.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every occurrence."""
        return ir.passes.PassResult(model, modified=_RULES.apply_to_model(model) > 0)


def _written_out(op: Any, x: ir.Value, epsilon: ir.Value, scale: ir.Value, bias: ir.Value) -> ir.Value:
    centred = x - op.ReduceMean(x, [-1])
    variance = op.ReduceMean(op.Pow(centred, 2.0), [-1])
    return (centred / op.Sqrt(variance + epsilon)) * scale + bias


def _is_affine(context: object, epsilon: ir.Value, scale: ir.Value, bias: ir.Value, **_: ir.Value) -> bool:
    """Whether ε is one number, and scale and bias are vectors."""
    dimensions = [np.ndim(part) for part in map(constant, (epsilon, scale, bias)) if part is not None]
    return dimensions == [0, 1, 1]


def _layer_norm(op: Any, x: ir.Value, epsilon: ir.Value, scale: ir.Value, bias: ir.Value) -> ir.Value:
    return op.LayerNormalization(x, scale, bias, axis=-1, epsilon=float(np.asarray(constant(epsilon))))


_RULES = pattern.RewriteRuleSet([pattern.RewriteRule(_written_out, _layer_norm, _is_affine)], commute=True)
