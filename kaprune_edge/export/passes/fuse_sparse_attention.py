"""Attention between four pruned layers, with residual sum and normalization, becomes `SparseAttention`."""

import numpy as np
import onnx_ir as ir

from kaprune_edge.export import domain, sparse_attention
from kaprune_edge.export.attention import Attention, find_attentions
from kaprune_edge.export.graph import add_initializer
from kaprune_edge.export.packed import PackedLinear, find_packed_linear
from kaprune_edge.export.residual_norm import ResidualNorm, find_residual_norm

__all__ = ["FuseSparseAttention"]


class FuseSparseAttention(ir.passes.InPlacePass):
    """Joins the attention half of an encoder layer, where all four of its matrices are packed.

    - Three `SparseLinear` that read one value, attention over any number of heads, a fourth `SparseLinear`,
      the sum with what the three read, and LayerNormalization become one node.
    - The outputs are the same, up to the rounding of the scale.
    - Scores may have a mask [B, 1, 1, T] and a position bias [1, heads, T, T] added to them; a layer with
      others, without a mask, or whose values are read elsewhere too is left alone.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fuse, and add the function that defines the operator."""
        layers = [layer for node in model.graph if (layer := find_packed_linear(node)) is not None]
        fused = [_fuse(model.graph, attention) for attention in find_attentions(layers)]
        if any(fused):
            domain.define(model, sparse_attention.BODY)
        return ir.passes.PassResult(model, modified=any(fused))


def _fuse(graph: ir.Graph, attention: Attention[PackedLinear]) -> bool:
    """Put one node in an attention's place; False where that does not fit the operator."""
    projections = (attention.query, attention.key, attention.value, attention.output)
    x, masks, biases = attention.query.x, _masks(attention), _position_biases(attention)
    norm = find_residual_norm(attention.output.y, x)
    if norm is None or attention.guarded or any(layer.activation != "none" for layer in projections):
        return False
    if attention.key.x is not x or attention.value.x is not x:
        return False
    if len(masks) != 1 or len(biases) > 1 or len(masks) + len(biases) != len(attention.terms):
        return False
    (bias,) = biases or [_no_bias(graph)]
    fused = _node(attention, masks[0], bias, norm)
    removed = [*attention.nodes, *(layer.node for layer in projections), *norm.nodes]
    ir.convenience.replace_nodes_and_values(graph, norm.nodes[-1], removed, [fused], [norm.y], fused.outputs)
    return True


def _masks(attention: Attention) -> list[ir.Value]:
    """Find the terms of shape [B, 1, 1, T]."""
    return [term for term in attention.terms if term.shape is not None and list(term.shape)[1:-1] == [1, 1]]


def _position_biases(attention: Attention) -> list[ir.Value]:
    """Find the terms of shape [1, heads, T, T]."""
    leading = [1, attention.heads]
    return [
        term
        for term in attention.terms
        if term.shape is not None and len(term.shape) == 4 and list(term.shape)[:2] == leading
    ]


def _no_bias(graph: ir.Graph) -> ir.Value:
    """Give a zero: a function that is inlined cannot miss an input, and ONNX Runtime drops the sum."""
    name = "no_position_bias"
    return graph.initializers.get(name) or add_initializer(graph, name, np.zeros((1, 1, 1, 1), np.float32))


def _node(attention: Attention[PackedLinear], mask: ir.Value, bias: ir.Value, norm: ResidualNorm) -> ir.Node:
    query, key, value, output = attention.query, attention.key, attention.value, attention.output
    return ir.Node(
        domain.DOMAIN,
        sparse_attention.OP_TYPE,
        [
            query.x, mask, bias,
            *query.arrays, *key.arrays, *value.arrays, *output.arrays,
            norm.gamma, norm.beta,
        ],
        [
            ir.AttrInt64("num_heads", attention.heads),
            ir.AttrInt64("inner_features", query.outputs),
            ir.AttrInt64("output_features", output.outputs),
            ir.AttrFloat32("scale", attention.scale),
            ir.AttrFloat32("epsilon", norm.epsilon),
            ir.AttrInt64s("query_blocksize", query.blocksize),
            ir.AttrInt64s("key_blocksize", key.blocksize),
            ir.AttrInt64s("value_blocksize", value.blocksize),
            ir.AttrInt64s("output_blocksize", output.blocksize),
        ],
        name=output.node.name,
    )  # fmt: skip
