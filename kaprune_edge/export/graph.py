"""Small questions and changes that several passes share."""

from collections.abc import Iterable
from typing import TypeGuard

import numpy as np
import onnx_ir as ir

__all__ = ["add_initializer", "constant", "is_op", "only_consumer", "same_shape", "size"]

Dimension = int | ir.SymbolicDim


def is_op(node: ir.Node | None, *op_types: str) -> TypeGuard[ir.Node]:
    """Whether a node is one of these standard operators."""
    return node is not None and node.domain == "" and node.op_type in op_types


def constant(value: ir.Value | None) -> np.ndarray | None:
    """Give the content of an initializer or constant, None for what is computed, fed or left out."""
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def size(value: ir.Value | None) -> int:
    """Bytes that a constant takes in the file, 0 for what is none."""
    return 0 if value is None or value.const_value is None else value.const_value.nbytes


def only_consumer(value: ir.Value) -> ir.Node | None:
    """Find the node that alone, and once, uses a value which is no graph output."""
    uses = tuple(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def same_shape(shape: Iterable[Dimension] | None, other: Iterable[Dimension] | None) -> bool:
    """Whether two shapes are known to be equal: dimension by dimension the same number or symbol."""
    if shape is None or other is None:
        return False
    sizes = tuple(shape)
    return sizes == tuple(other) and all(map(_known, sizes))


def _known(size: Dimension) -> bool:
    return not isinstance(size, ir.SymbolicDim) or size.value is not None


def add_initializer(graph: ir.Graph, name: str, content: np.ndarray) -> ir.Value:
    """Add a constant under `name`, numbered if that is taken."""
    unique, count = name, 1
    while unique in graph.initializers:
        unique, count = f"{name}_{count}", count + 1
    tensor = ir.tensor(np.ascontiguousarray(content), name=unique)
    value = ir.val(unique, const_value=tensor)
    graph.register_initializer(value)
    return value
