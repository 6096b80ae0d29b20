"""Multi-head attention, as a graph writes it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import onnx_ir as ir

from kaprune_edge.export.graph import constant, is_op, only_consumer

__all__ = ["Attention", "Layer", "find_attentions"]


class Layer(Protocol):
    """A linear layer, in whatever form the graph has it."""

    @property
    def x(self) -> ir.Value:
        """Its input."""

    @property
    def y(self) -> ir.Value:
        """Its output."""

    @property
    def outputs(self) -> int:
        """How many outputs it has."""


LayerT = TypeVar("LayerT", bound=Layer)


@dataclass(frozen=True, eq=False)
class Attention(Generic[LayerT]):
    """softmax(Q · Kᵀ · scale + terms) · V between four linear layers, with the heads as the second axis."""

    query: LayerT
    key: LayerT
    value: LayerT
    output: LayerT
    heads: int
    head_size: int
    scale: float
    nodes: tuple[ir.Node, ...]
    """All nodes from the three projections to the output projection; nothing else reads what they make."""
    terms: tuple[ir.Value, ...]
    """Added to the scores: mask, position bias; their second axis is 1 or `heads`."""
    guarded: bool
    """Whether a position that may attend to nothing gets zeros, as in PyTorch's fused attention, not NaN."""

    @property
    def merge(self) -> ir.Node:
        """The Reshape from [B, S, heads, head_size] back to [B, S, heads * head_size]."""
        return self.nodes[0]


def find_attentions(layers: Iterable[LayerT]) -> list[Attention[LayerT]]:
    """Find the attentions whose four projections are among these layers, in the order of the last of them."""
    by_output = {layer.y: layer for layer in layers}
    found = (_Walk(by_output).attention(layer) for layer in by_output.values())
    return [attention for attention in found if attention is not None]


class _NoMatch(Exception):  # noqa: N818
    """The graph is not attention, or not in a form known here."""


class _Walk(Generic[LayerT]):
    """A walk against the data, from the output projection to the other three."""

    def __init__(self, layers: dict[ir.Value, LayerT]) -> None:
        self._layers = layers
        self._scale = 1.0
        self._guarded = False
        self._nodes: list[ir.Node] = []
        self._terms: list[ir.Value] = []

    def attention(self, output: LayerT) -> Attention[LayerT] | None:
        """Recognize the attention before `output`."""
        try:
            merge = self._step(output.x, "Reshape")
            transpose = self._step(merge.inputs[0], "Transpose")
            back = _permutation(transpose)
            context = self._step(transpose.inputs[0], "MatMul")
            softmax = self._softmax(context.inputs[0])
            product = self._scores(softmax.inputs[0])
            query, heads = self._projection(product.inputs[0], (0, 2, 1, 3))
            key, key_heads = self._projection(product.inputs[1], (0, 2, 3, 1))
            value, value_heads = self._projection(context.inputs[1], (0, 2, 1, 3), scaled=False)
        except _NoMatch:
            return None
        if back != (0, 2, 1, 3) or len(output.x.shape or ()) != 3 or not heads == key_heads == value_heads:
            return None
        if softmax.attributes.get_int("axis", -1) not in (-1, 3):
            return None
        if any(_second_axis(term) not in (1, heads[0]) for term in self._terms):
            return None
        found = (*heads, self._scale, tuple(self._nodes), tuple(self._terms), self._guarded)
        return Attention(query, key, value, output, *found)

    def _step(self, value: ir.Value | None, *op_types: str) -> ir.Node:
        """Go to the node that makes a value which nothing else reads."""
        node = None if value is None else value.producer()
        if node is None or value is None or not is_op(node, *op_types) or only_consumer(value) is None:
            raise _NoMatch
        self._nodes.append(node)
        return node

    def _softmax(self, value: ir.Value | None) -> ir.Node:
        """Go to the Softmax, through where(isnan(softmax), 0, softmax) if that is there."""
        node = self._step(value, "Softmax", "Where")
        if node.op_type == "Softmax":
            return node
        condition, zero, weights = node.inputs
        is_nan = self._step(condition, "IsNaN")
        softmax = None if weights is None else weights.producer()
        content = constant(zero)
        if weights is None or is_nan.inputs[0] is not weights or content is None or content.any():
            raise _NoMatch
        if not is_op(softmax, "Softmax") or set(weights.consumers()) != {is_nan, node}:
            raise _NoMatch
        self._nodes.append(softmax)
        self._guarded = True
        return softmax

    def _scores(self, value: ir.Value | None) -> ir.Node:
        """Go through scale and added terms to the product of queries and keys."""
        node = self._step(value, "MatMul", "Add", "Mul", "Div")
        if node.op_type == "MatMul":
            return node
        if node.op_type != "Add":
            return self._scores(self._unscaled(node))
        term, rest = sorted(node.inputs, key=_leads_to_product)
        if term is None:
            raise _NoMatch
        self._terms.append(term)
        return self._scores(rest)

    def _projection(
        self, value: ir.Value | None, axes: tuple[int, ...], *, scaled: bool = True
    ) -> tuple[LayerT, tuple[int, int]]:
        """Go to a linear layer; gives it with heads and head size.

        Args:
            value: Where to start.
            axes: What the transpositions in between must amount to.
            scaled: Whether a scale may stand in between.
        """
        permutation: tuple[int, ...] = (0, 1, 2, 3)
        while not is_op(
            node := self._step(value, "Transpose", "Reshape", *["Mul", "Div"] * scaled), "Reshape"
        ):
            if node.op_type == "Transpose":
                mine, value = _permutation(node), node.inputs[0]
                permutation = tuple(mine[axis] for axis in permutation)
            else:
                value = self._unscaled(node)
        layer = self._layers.get(node.inputs[0]) if node.inputs[0] is not None else None
        if layer is None or only_consumer(layer.y) is None or len(layer.y.shape or ()) != 3:
            raise _NoMatch
        size = _last_size(node.inputs[1])
        if permutation != axes or size <= 0 or layer.outputs % size:
            raise _NoMatch
        return layer, (layer.outputs // size, size)

    def _unscaled(self, node: ir.Node) -> ir.Value | None:
        """Give what a Mul or Div by one constant number scales, and note the factor."""
        first, second = node.inputs
        divided = node.op_type == "Div"
        for scaled, factor in ((first, second),) if divided else ((first, second), (second, first)):
            number = constant(factor)
            if number is not None and number.size == 1:
                self._scale *= float(number.item()) ** (-1 if divided else 1)
                return scaled
        raise _NoMatch


def _permutation(transpose: ir.Node) -> tuple[int, ...]:
    """Read a Transpose of four axes."""
    permutation = transpose.attributes.get_ints("perm", ())
    if len(permutation) != 4:
        raise _NoMatch
    return tuple(permutation)


def _last_size(shape: ir.Value | None) -> int:
    """Read the last entry of a Reshape's target, 0 where it is computed."""
    node = None if shape is None else shape.producer()
    content = constant(node.inputs[-1] if is_op(node, "Concat") else shape)
    return 0 if content is None or content.size == 0 else int(content.flat[-1])


def _leads_to_product(value: ir.Value | None) -> bool:
    """Whether a value comes, through scale and added terms, from a product of two computed matrices."""
    node = None if value is None else value.producer()
    if is_op(node, "MatMul"):
        return all(constant(part) is None for part in node.inputs)
    return is_op(node, "Add", "Mul", "Div") and any(map(_leads_to_product, node.inputs))


def _second_axis(value: ir.Value) -> object:
    """Give the size of the axis that lines up with the heads; fewer than three axes are as good as 1."""
    if value.shape is None:
        return None
    return value.shape[-3] if len(value.shape) >= 3 else 1
