"""Gelu written out with Erf becomes one node."""

import math
from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import pattern

__all__ = ["FuseGelu"]


class FuseGelu(ir.passes.InPlacePass):
    """Replaces x / 2 · (1 + erf(x / √2)), in the orders in which exporters write it, by Gelu.

    The outputs are the same, up to rounding.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every occurrence."""
        return ir.passes.PassResult(model, modified=_RULES.apply_to_model(model) > 0)


def _scaled_first(op: Any, x: ir.Value) -> ir.Value:
    return (x * 0.5) * (op.Erf(x / math.sqrt(2)) + 1.0)


def _scaled_last(op: Any, x: ir.Value) -> ir.Value:
    return (x * (op.Erf(x / math.sqrt(2)) + 1.0)) * 0.5


def _scaled_erf(op: Any, x: ir.Value) -> ir.Value:
    return x * ((op.Erf(x / math.sqrt(2)) + 1.0) * 0.5)


def _gelu(op: Any, x: ir.Value) -> ir.Value:
    return op.Gelu(x)


_RULES = pattern.RewriteRuleSet(
    [pattern.RewriteRule(written, _gelu) for written in (_scaled_first, _scaled_last, _scaled_erf)],
    commute=True,
)
