"""Feed-forward neurons that pruning cut off leave the graph."""

import numpy as np
import onnx_ir as ir
from scipy.special import erf

from kaprune_edge.export.blocks import fewest_bytes
from kaprune_edge.export.graph import is_op, only_consumer
from kaprune_edge.export.linear import Linear, collapse_linear, find_linear, resize_linear

__all__ = ["RemoveDeadNeurons"]

_GROUPS = (1, 4, 8, 16, 32)


class RemoveDeadNeurons(ir.passes.InPlacePass):
    """Removes neurons between two linear layers that nothing enters or nothing leaves.

    - A neuron whose column in the second matrix is zero adds nothing and goes.
    - A neuron whose row in the first matrix is zero has the constant output act(bias): that goes into the
      second bias, and the neuron goes.
    - Both matrices shrink, unless that tore their blocks of weights apart and made the file larger.
    - Where no neuron lives, a constant takes the layer's place.
    - The outputs are the same, up to the rounding of sums.
    - Between the layers stands one Gelu or Relu; matrices that other layers share are left alone.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Remove the dead neurons of every feed-forward pair."""
        modified = False
        for node in model.graph:
            first = find_linear(node)
            activation = None if first is None else only_consumer(first.y)
            if first is None or not is_op(activation, "Gelu", "Relu"):
                continue
            second = find_linear(only_consumer(activation.outputs[0]))
            if second is not None and first.owns_weight and second.owns_weight:
                modified |= _shrink(model.graph, first, activation, second)
        return ir.passes.PassResult(model, modified=modified)


def _shrink(graph: ir.Graph, first: Linear, activation: ir.Node, second: Linear) -> bool:
    """Remove a pair's dead neurons; False where there are none."""
    entered, left = np.any(first.matrix, axis=1), np.any(second.matrix, axis=0)
    alive = np.logical_and(entered, left)
    if alive.all():
        return False
    silent = np.where(entered, 0, _activate(activation, first.flat_bias.astype(np.float64)))
    bias = (second.flat_bias + second.matrix.astype(np.float64) @ silent).astype(np.float32)
    if not alive.any() and collapse_linear(graph, second, bias):
        return True
    matrix_1, matrix_2 = np.where(alive[:, None], first.matrix, 0), np.where(alive, second.matrix, 0)
    kept = _choose(alive, matrix_1, matrix_2)
    if kept.all() and not silent.any():
        return False
    resize_linear(graph, second, matrix_2[:, kept], bias)
    resize_linear(graph, first, matrix_1[kept], np.where(alive, first.flat_bias, 0)[kept])
    hidden = activation.outputs[0]
    if hidden.shape is not None:
        hidden.shape = ir.Shape([*tuple(hidden.shape)[:-1], int(kept.sum())])
    return True


def _choose(alive: np.ndarray, matrix_1: np.ndarray, matrix_2: np.ndarray) -> np.ndarray:
    """Choose which neurons to keep: the living, and the dead that keep blocks of weights in line.

    Neurons go in groups, of the size that makes the two matrices smallest in the file.
    """
    choices = []
    for size in (size for size in _GROUPS if len(alive) % size == 0):
        group_alive = np.asarray(alive.reshape(-1, size).any(axis=1))
        group_alive[0] |= not alive.any()
        choices.append(np.repeat(group_alive, size))
    return min(choices, key=lambda kept: fewest_bytes(matrix_1[kept]) + fewest_bytes(matrix_2[:, kept]))


def _activate(node: ir.Node, x: np.ndarray) -> np.ndarray:
    """Apply an activation to float64 numbers."""
    if node.op_type == "Relu":
        return np.maximum(x, 0)
    if node.attributes.get_string("approximate", "none") == "tanh":
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + erf(x / np.sqrt(2)))
