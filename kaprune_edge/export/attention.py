"""Multi-head attention, as a graph writes it."""

from dataclasses import dataclass

import onnx_ir as ir

from kaprune_edge.export.graph import constant, is_op, only_consumer
from kaprune_edge.export.linear import Linear, find_linears

__all__ = ["Attention", "find_attentions"]


@dataclass(frozen=True, eq=False)
class Attention:
    """softmax(Q · Kᵀ · scale + terms) · V between four linear layers, with the heads as the second axis."""

    query: Linear
    key: Linear
    value: Linear
    output: Linear
    heads: int
    head_size: int
    nodes: tuple[ir.Node, ...]
    """All nodes from the three projections to the output projection; nothing else reads what they make."""
    terms: tuple[ir.Value, ...]
    """Added to the scores: mask, position bias; their second axis is 1 or `heads`."""

    @property
    def merge(self) -> ir.Node:
        """The Reshape from [B, S, heads, head_size] back to [B, S, heads * head_size]."""
        return self.nodes[0]


def find_attentions(graph: ir.Graph) -> list[Attention]:
    """Find the attentions whose four projections are linear layers, in graph order."""
    linears = {layer.y: layer for layer in find_linears(graph)}
    found = (_Walk(linears).attention(output) for output in linears.values())
    return [attention for attention in found if attention is not None]


class _NoMatch(Exception):  # noqa: N818
    """The graph is not attention, or not in a form known here."""


class _Walk:
    """A walk against the data, from the output projection to the other three."""

    def __init__(self, linears: dict[ir.Value, Linear]) -> None:
        self._linears = linears
        self._nodes: list[ir.Node] = []
        self._terms: list[ir.Value] = []

    def attention(self, output: Linear) -> Attention | None:
        """Recognize the attention before `output`."""
        try:
            merge = self._step(output.x, "Reshape")
            transpose = self._step(merge.inputs[0], "Transpose")
            back = _permutation(transpose)
            context = self._step(transpose.inputs[0], "MatMul")
            softmax = self._step(context.inputs[0], "Softmax")
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
        return Attention(query, key, value, output, *heads, tuple(self._nodes), tuple(self._terms))

    def _step(self, value: ir.Value | None, *op_types: str) -> ir.Node:
        """Go to the node that makes a value which nothing else reads."""
        node = None if value is None else value.producer()
        if node is None or value is None or not is_op(node, *op_types) or only_consumer(value) is None:
            raise _NoMatch
        self._nodes.append(node)
        return node

    def _scores(self, value: ir.Value | None) -> ir.Node:
        """Go through scale and added terms to the product of queries and keys."""
        node = self._step(value, "MatMul", "Add", "Mul", "Div")
        if node.op_type == "MatMul":
            return node
        if node.op_type != "Add":
            return self._scores(_unscaled(node))
        term, rest = sorted(node.inputs, key=_leads_to_product)
        if term is None:
            raise _NoMatch
        self._terms.append(term)
        return self._scores(rest)

    def _projection(
        self, value: ir.Value | None, axes: tuple[int, ...], *, scaled: bool = True
    ) -> tuple[Linear, tuple[int, int]]:
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
                value = _unscaled(node)
        layer = self._linears.get(node.inputs[0]) if node.inputs[0] is not None else None
        if layer is None or only_consumer(layer.y) is None or len(layer.y.shape or ()) != 3:
            raise _NoMatch
        size = _last_size(node.inputs[1])
        if permutation != axes or size <= 0 or len(layer.matrix) % size:
            raise _NoMatch
        return layer, (len(layer.matrix) // size, size)


def _unscaled(node: ir.Node) -> ir.Value | None:
    """Give what a Mul or Div by one number scales."""
    if _is_scalar(node.inputs[1]):
        return node.inputs[0]
    if _is_scalar(node.inputs[0]) and node.op_type == "Mul":
        return node.inputs[1]
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


def _is_scalar(value: ir.Value | None) -> bool:
    return value is not None and value.shape is not None and all(size == 1 for size in value.shape)


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
