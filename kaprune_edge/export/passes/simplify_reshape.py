"""Reshapes that change nothing, or only serve a transposition, leave the graph."""

import onnx_ir as ir

from kaprune_edge.export.graph import is_op, same_shape

__all__ = ["SimplifyReshape"]


class SimplifyReshape(ir.passes.InPlacePass):
    """Brings the Reshapes with which PyTorch exports its fused attention out of the way.

    - A Reshape to the shape that its input has already is removed.
    - [A, B, C, D] reshaped to [A * B, C, D], transposed, and reshaped to [A, B, D, C] is transposed at once.
    - The outputs are the same. Shapes must have been inferred; what is not known is left alone.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Simplify every Reshape."""
        modified = [_simplify(model.graph, node) for node in model.graph if is_op(node, "Reshape")]
        return ir.passes.PassResult(model, modified=any(modified))


def _simplify(graph: ir.Graph, node: ir.Node) -> bool:
    """Simplify one Reshape; False where that cannot be."""
    x, y = node.inputs[0], node.outputs[0]
    if x is None or y.is_graph_output():
        return False
    if same_shape(x.shape, y.shape):
        y.replace_all_uses_with(x)
        graph.remove(node, safe=True)
        return True
    if (source := _transposed_in_batch(node)) is None:
        return False
    transpose = ir.node("Transpose", [source], {"perm": [0, 1, 3, 2]})
    ir.convenience.replace_nodes_and_values(graph, node, [node], [transpose], [y], transpose.outputs)
    return True


def _transposed_in_batch(last: ir.Node) -> ir.Value | None:
    """Find the [A, B, C, D] of which a Reshape makes [A, B, D, C] by way of three dimensions."""
    transpose = last.inputs[0].producer() if last.inputs[0] is not None else None
    if not is_op(transpose, "Transpose") or transpose.attributes.get_ints("perm", ()) != (0, 2, 1):
        return None
    batched = transpose.inputs[0]
    first = None if batched is None else batched.producer()
    if batched is None or batched.shape is None or not is_op(first, "Reshape"):
        return None
    source, result = first.inputs[0], last.outputs[0]
    if source is None or source.shape is None or len(source.shape) != 4:
        return None
    a, b, c, d = source.shape
    fits = same_shape([*batched.shape[1:]], [c, d]) and same_shape(result.shape, [a, b, d, c])
    return source if fits else None
