"""Two pruned layers, their residual sum and normalization become `SparseFeedForward`."""

import onnx_ir as ir

from kaprune_edge.export import domain, sparse_feed_forward
from kaprune_edge.export.graph import only_consumer
from kaprune_edge.export.packed import PackedLinear, find_packed_linear
from kaprune_edge.export.residual_norm import ResidualNorm, find_residual_norm

__all__ = ["FuseSparseFeedForward"]


class FuseSparseFeedForward(ir.passes.InPlacePass):
    """Joins the feed-forward half of an encoder layer, where both of its matrices are packed.

    - Two `SparseLinear` in a row, the sum with the first one's input, and LayerNormalization become one node.
    - The outputs are the same.
    - A layer whose values are read elsewhere too is left alone.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fuse, and add the function that defines the operator."""
        fused = [_fuse(model.graph, node) for node in model.graph]
        if any(fused):
            domain.define(model, sparse_feed_forward.BODY)
        return ir.passes.PassResult(model, modified=any(fused))


def _fuse(graph: ir.Graph, node: ir.Node) -> bool:
    """Fuse the feed-forward that begins at a node; False where none does."""
    first = find_packed_linear(node)
    second = None if first is None else find_packed_linear(only_consumer(first.y))
    if first is None or second is None or second.activation != "none":
        return False
    norm = find_residual_norm(second.y, first.x)
    if norm is None:
        return False
    fused = _node(first, second, norm)
    ir.convenience.replace_nodes_and_values(
        graph, norm.nodes[-1], [first.node, second.node, *norm.nodes], [fused], [norm.y], fused.outputs
    )
    return True


def _node(first: PackedLinear, second: PackedLinear, norm: ResidualNorm) -> ir.Node:
    return ir.Node(
        domain.DOMAIN,
        sparse_feed_forward.OP_TYPE,
        [first.x, *first.arrays, *second.arrays, norm.gamma, norm.beta],
        [
            ir.AttrInt64("intermediate_features", first.outputs),
            ir.AttrInt64s("intermediate_blocksize", first.blocksize),
            ir.AttrString("activation", first.activation),
            ir.AttrInt64("output_features", second.outputs),
            ir.AttrInt64s("output_blocksize", second.blocksize),
            ir.AttrFloat32("epsilon", norm.epsilon),
        ],
        name=second.node.name,
    )
