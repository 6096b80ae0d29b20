"""Linear layers, as a graph writes them."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx_ir as ir

from kaprune_edge.export.graph import add_initializer, constant, is_op, only_consumer

__all__ = ["Linear", "collapse_linear", "find_linear", "find_linears", "resize_linear"]


@dataclass(frozen=True, eq=False)
class Linear:
    """Y = X · Wᵀ + bias with constant W and bias: MatMul, MatMul and Add, or Gemm with plain factors."""

    nodes: tuple[ir.Node, ...]
    weight: ir.Value
    """Initializer, float32, as the product reads it."""
    transposed: bool
    """Whether `weight` is [K, N]."""
    matrix: np.ndarray
    """The weight as [N, K]."""
    bias: ir.Value | None
    """[N] or [1, ..., N]."""

    @property
    def x(self) -> ir.Value:
        """The layer's input, as the graph has it now."""
        return cast(ir.Value, self.nodes[0].inputs[0])

    @property
    def y(self) -> ir.Value:
        """The layer's output."""
        return self.nodes[-1].outputs[0]

    @property
    def outputs(self) -> int:
        """How many outputs the layer has."""
        return len(self.matrix)

    @property
    def name(self) -> str:
        """The layer's name, as its weight has it."""
        return (self.weight.name or "").removesuffix(".T").removesuffix(".weight")

    @property
    def owns_weight(self) -> bool:
        """Whether nothing else reads the weight."""
        return only_consumer(self.weight) is not None

    @property
    def flat_bias(self) -> np.ndarray:
        """The bias as [N], zeros where there is none."""
        content = constant(self.bias)
        return np.zeros(len(self.matrix), np.float32) if content is None else content.reshape(-1)


def find_linears(graph: ir.Graph) -> list[Linear]:
    """Find all linear layers of a graph, in its order."""
    return [layer for node in graph if (layer := find_linear(node)) is not None]


def find_linear(node: ir.Node | None) -> Linear | None:
    """Recognize a linear layer by its product, None where the node is none."""
    if node is None or not is_op(node, "MatMul", "Gemm"):
        return None
    weight = node.inputs[1]
    content = constant(weight)
    if node.inputs[0] is None or weight is None or not weight.is_initializer() or content is None:
        return None
    if content.ndim != 2 or content.dtype != np.float32:
        return None
    if node.op_type == "MatMul":
        nodes, bias = _with_sum(node, content.shape[1])
        return Linear(nodes, weight, True, content.T, bias)
    outputs_first = bool(node.attributes.get_int("transB", False))
    matrix = content if outputs_first else content.T
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    factors = (node.attributes.get_float("alpha", 1.0), node.attributes.get_float("beta", 1.0))
    if factors != (1.0, 1.0) or node.attributes.get_int("transA", False):
        return None
    if bias is not None and not _is_bias(bias, len(matrix)):
        return None
    return Linear((node,), weight, not outputs_first, matrix, bias)


def resize_linear(graph: ir.Graph, layer: Linear, matrix: np.ndarray, bias: np.ndarray) -> None:
    """Put another matrix, [N', K'], and bias, [N'], in a layer's place.

    Args:
        graph: Holds the layer.
        layer: Its `nodes` leave the graph.
        matrix: The new weight.
        bias: Left out where it is all zeros.
    """
    weight = add_initializer(graph, f"{layer.name}.resized", matrix.T)
    nodes = [ir.node("MatMul", [layer.x, weight], name=layer.nodes[0].name)]
    if bias.any():
        offset = add_initializer(graph, f"{layer.name}.bias", bias)
        nodes.append(ir.node("Add", [nodes[0].outputs[0], offset], name=f"{layer.name}.bias"))
    if layer.y.shape is not None:
        layer.y.shape = ir.Shape([*tuple(layer.y.shape)[:-1], len(matrix)])
    ir.convenience.replace_nodes_and_values(
        graph, layer.nodes[-1], layer.nodes, nodes, [layer.y], nodes[-1].outputs
    )
    if not layer.weight.uses():
        del graph.initializers[layer.weight.name or ""]
        weight.name = f"{layer.name}.weight.T"


def collapse_linear(graph: ir.Graph, layer: Linear, bias: np.ndarray) -> bool:
    """Give a constant, [N], in place of a layer's output where every reader adds it to the full shape.

    Returns:
        Whether it could; if not, nothing changed.
    """
    readers = [usage.node for usage in layer.y.uses()]
    others = [value for node in readers for value in node.inputs if value is not layer.y]
    if layer.y.is_graph_output() or not all(is_op(node, "Add") for node in readers):
        return False
    if any(value is None or value.shape != layer.y.shape or value.shape is None for value in others):
        return False
    layer.y.replace_all_uses_with(add_initializer(graph, f"{layer.name}.bias", bias))
    graph.remove(layer.nodes, safe=True)
    return True


def _with_sum(product: ir.Node, outputs: int) -> tuple[tuple[ir.Node, ...], ir.Value | None]:
    """Join the Add of a constant bias that follows, where there is one."""
    add = only_consumer(product.outputs[0])
    if add is None or not is_op(add, "Add"):
        return (product,), None
    (bias,) = (value for value in add.inputs if value is not product.outputs[0])
    return ((product, add), bias) if _is_bias(bias, outputs) else ((product,), None)


def _is_bias(value: ir.Value | None, outputs: int) -> bool:
    """Whether a constant adds one number to each output."""
    content = constant(value)
    return content is not None and content.shape[-1:] == (outputs,) and content.size == outputs
