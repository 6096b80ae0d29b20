"""What ends both halves of an encoder layer: residual sum and layer normalization."""

from dataclasses import dataclass

import onnx_ir as ir

from kaprune_edge.export.graph import is_op, only_consumer

__all__ = ["ResidualNorm", "find_residual_norm"]


@dataclass(frozen=True, eq=False)
class ResidualNorm:
    """LayerNormalization(branch + residual) over the last axis."""

    nodes: tuple[ir.Node, ir.Node]
    gamma: ir.Value
    beta: ir.Value
    epsilon: float

    @property
    def y(self) -> ir.Value:
        """The normalized sum."""
        return self.nodes[-1].outputs[0]


def find_residual_norm(branch: ir.Value, residual: ir.Value) -> ResidualNorm | None:
    """Recognize the normalization of the sum of two values; nothing else reads `branch` or the sum."""
    add = only_consumer(branch)
    norm = only_consumer(add.outputs[0]) if is_op(add, "Add") else None
    if add is None or residual not in add.inputs or not is_op(norm, "LayerNormalization"):
        return None
    gamma, beta = [*norm.inputs[1:], None][:2]
    if gamma is None or beta is None or not gamma.is_initializer() or not beta.is_initializer():
        return None
    if norm.attributes.get_int("axis", -1) != -1 or len(norm.outputs) != 1:
        return None
    return ResidualNorm((add, norm), gamma, beta, norm.attributes.get_float("epsilon", 1e-5))
