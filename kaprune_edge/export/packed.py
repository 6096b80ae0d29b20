"""Packed matrices, as the nodes of our operators hold them."""

from dataclasses import dataclass
from typing import cast

import onnx_ir as ir

from kaprune_edge.export import sparse_attention, sparse_feed_forward, sparse_linear
from kaprune_edge.export.domain import is_ours

__all__ = ["SCALES", "PackedLinear", "PackedMatrix", "find_packed_linear", "packed_matrices"]

SCALES = 3
"""Inputs between a matrix's values and its scales."""

_MATRICES = {
    sparse_linear.OP_TYPE: ((1, "blocksize", "out_features", None),),
    sparse_feed_forward.OP_TYPE: (
        (1, "intermediate_blocksize", "intermediate_features", "output_features"),
        (6, "output_blocksize", "output_features", "intermediate_features"),
    ),
    sparse_attention.OP_TYPE: (
        (3, "query_blocksize", "inner_features", "output_features"),
        (8, "key_blocksize", "inner_features", "output_features"),
        (13, "value_blocksize", "inner_features", "output_features"),
        (18, "output_blocksize", "output_features", "inner_features"),
    ),
}
"""For each matrix of an operator: its first input, and the attributes of block, outputs and inputs."""


@dataclass(frozen=True, eq=False)
class PackedMatrix:
    """One matrix of a node."""

    first_input: int
    """The input that has its values; the other four follow."""
    values: ir.Value
    indices: tuple[ir.Value, ...]
    """crow_indices and col_indices."""
    block: tuple[int, ...]
    shape: tuple[int, int]
    """Outputs and inputs."""

    @property
    def name(self) -> str:
        """The layer's name."""
        return (self.values.name or "").removesuffix(".values").removesuffix(".integers")


@dataclass(frozen=True, eq=False)
class PackedLinear:
    """A `SparseLinear` node."""

    node: ir.Node

    @property
    def x(self) -> ir.Value:
        """The layer's input."""
        return cast(ir.Value, self.node.inputs[0])

    @property
    def y(self) -> ir.Value:
        """The layer's output."""
        return self.node.outputs[0]

    @property
    def outputs(self) -> int:
        """How many outputs the layer has."""
        return self.node.attributes["out_features"].as_int()

    @property
    def blocksize(self) -> list[int]:
        """Block rows and columns."""
        return [*self.node.attributes["blocksize"].as_ints()]

    @property
    def activation(self) -> str:
        """One of `sparse_linear.ACTIVATIONS`."""
        return self.node.attributes["activation"].as_string()

    @property
    def arrays(self) -> tuple[ir.Value | None, ...]:
        """The five inputs after X."""
        return tuple(self.node.inputs[1:6])


def find_packed_linear(node: ir.Node | None) -> PackedLinear | None:
    """Recognize a `SparseLinear` node."""
    return PackedLinear(node) if node is not None and is_ours(node, sparse_linear.OP_TYPE) else None


def packed_matrices(node: ir.Node) -> list[PackedMatrix]:
    """Give the matrices of one of our nodes, in the order of its inputs; none of any other."""
    if not is_ours(node, *_MATRICES):
        return []
    return [_matrix(node, *place) for place in _MATRICES[node.op_type]]


def _matrix(node: ir.Node, first: int, blocksize: str, outputs: str, inputs: str | None) -> PackedMatrix:
    values, *indices = (cast(ir.Value, value) for value in node.inputs[first : first + 3])
    width = node.attributes[inputs].as_int() if inputs else _width(node)
    block = tuple(node.attributes[blocksize].as_ints())
    return PackedMatrix(first, values, tuple(indices), block, (node.attributes[outputs].as_int(), width))


def _width(node: ir.Node) -> int:
    """Read the last dimension of X, which `PackSparseLinear` records."""
    x = node.inputs[0]
    width = None if x is None or x.shape is None else x.shape[-1]
    if not isinstance(width, int):
        raise ValueError(f"{node.name} was not made by PackSparseLinear")
    return width
