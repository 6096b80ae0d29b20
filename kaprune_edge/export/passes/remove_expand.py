"""Broadcasts written out before an addition that broadcasts anyway leave the graph."""

import onnx_ir as ir

from kaprune_edge.export.graph import is_op, same_shape

__all__ = ["RemoveExpand"]


class RemoveExpand(ir.passes.InPlacePass):
    """Removes each Expand that is only added to values which have its output's shape already.

    MPNet's position bias is one: it would be copied for every row of a batch. The outputs are the same.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Remove every such Expand."""
        redundant = [node for node in model.graph if is_op(node, "Expand") and _broadcasts_anyway(node)]
        for node in redundant:
            if (source := node.inputs[0]) is not None:
                node.outputs[0].replace_all_uses_with(source)
                model.graph.remove(node, safe=True)
        return ir.passes.PassResult(model, modified=bool(redundant))


def _broadcasts_anyway(expand: ir.Node) -> bool:
    expanded = expand.outputs[0]
    if expanded.is_graph_output():
        return False
    return all(
        is_op(add, "Add")
        and any(
            value is not None and value is not expanded and same_shape(value.shape, expanded.shape)
            for value in add.inputs
        )
        for add in expanded.consumers()
    )
