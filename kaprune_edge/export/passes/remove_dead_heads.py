"""Attention heads that pruning cut off leave the graph."""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from kaprune_edge.export.attention import Attention, find_attentions
from kaprune_edge.export.graph import add_initializer, is_op
from kaprune_edge.export.linear import Linear, collapse_linear, find_linears, resize_linear

__all__ = ["RemoveDeadHeads"]


class RemoveDeadHeads(ir.passes.InPlacePass):
    """Removes attention heads that attend to nothing or that nobody listens to.

    - A head whose columns in the output projection are zero adds nothing and goes.
    - A head whose rows in the value projection are zero gives its value bias at every position, since
      attention weights sum to one: that goes through the output projection into its bias, and the head goes.
      Where a guard makes weights zero, at positions that may attend to nothing, that takes a bias of zero.
    - Query, key and value lose the head's rows, the output projection its columns, a position bias its slice.
    - Where no head lives, a constant takes the layer's place.
    - The outputs are the same, up to the rounding of sums; matrices that other layers share are left alone.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Remove the dead heads of every layer."""
        attentions = find_attentions(find_linears(model.graph))
        modified = [_shrink(model.graph, attention) for attention in attentions]
        if any(modified):
            ShapeInferencePass()(model)
        return ir.passes.PassResult(model, modified=any(modified))


def _shrink(graph: ir.Graph, attention: Attention[Linear]) -> bool:
    """Remove a layer's dead heads; False where there are none."""
    heads, size = attention.heads, attention.head_size
    query, key, value, output = attention.query, attention.key, attention.value, attention.output
    entered = value.matrix.reshape(heads, -1).any(axis=1)
    left = output.matrix.reshape(-1, heads, size).any(axis=(0, 2))
    if attention.guarded:
        entered |= value.flat_bias.reshape(heads, -1).any(axis=1)
    alive = np.logical_and(entered, left)
    if alive.all() or not all(layer.owns_weight for layer in (query, key, value, output)):
        return False
    silent = np.where(np.repeat(entered, size), 0, value.flat_bias.astype(np.float64))
    bias = (output.flat_bias + output.matrix.astype(np.float64) @ silent).astype(np.float32)
    if not alive.any() and collapse_linear(graph, output, bias):
        return True
    kept = alive if alive.any() else np.arange(heads) == 0
    rows = np.repeat(kept, size)
    _cut_terms(graph, attention, kept)
    _cut_reshapes(graph, attention, int(kept.sum()))
    for layer in (query, key, value):
        resize_linear(graph, layer, layer.matrix[rows], layer.flat_bias[rows])
    resize_linear(graph, output, np.where(np.repeat(alive, size), output.matrix, 0)[:, rows], bias)
    return True


def _cut_terms(graph: ir.Graph, attention: Attention[Linear], kept: np.ndarray) -> None:
    """Slice what is added to the scores of each head separately."""
    for node in attention.nodes:
        for index, term in enumerate(node.inputs):
            if term not in attention.terms or term.shape is None or list(term.shape)[-3:-2] != [len(kept)]:
                continue
            chosen = add_initializer(graph, f"{attention.output.name}.heads", np.flatnonzero(kept))
            gather = ir.node("Gather", [term, chosen], {"axis": len(term.shape) - 3})
            graph.insert_before(node, gather)
            node.replace_input_with(index, gather.outputs[0])


def _cut_reshapes(graph: ir.Graph, attention: Attention[Linear], heads: int) -> None:
    """Give the Reshape nodes the smaller head count, and forget the shapes between the projections."""
    size, name = attention.head_size, attention.output.name
    split_shape = add_initializer(graph, f"{name}.split", np.array([0, 0, heads, size]))
    merge_shape = add_initializer(graph, f"{name}.merge", np.array([0, 0, heads * size]))
    for node in attention.nodes:
        node.outputs[0].shape = None
        if is_op(node, "Reshape"):
            node.replace_input_with(1, merge_shape if node is attention.merge else split_shape)
            node.attributes.pop("allowzero", None)
