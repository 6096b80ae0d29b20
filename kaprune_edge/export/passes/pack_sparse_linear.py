"""Linear layers with pruned weights become `SparseLinear`."""

from collections import defaultdict

import numpy as np
import onnx_ir as ir

from kaprune_edge.export import domain, sparse_linear
from kaprune_edge.export.blocks import best_block
from kaprune_edge.export.graph import add_initializer, is_op, only_consumer
from kaprune_edge.export.linear import Linear, find_linears
from kaprune_edge.sparsity.packing import BlockSparseRows, pack

__all__ = ["PackSparseLinear"]


class PackSparseLinear(ir.passes.InPlacePass):
    """Replaces each linear layer that is smaller packed by one `SparseLinear` node.

    - A bias, and a Gelu (not its approximation) that alone reads the layer, join the node.
    - Each matrix gets the block shape that suits it and the target, see `best_block`.
    - The outputs are the same, up to the rounding of sums.
    - No dense copy of a packed matrix stays; one that is also used otherwise is left dense.
    - A matrix that several layers share is packed once.
    - The input's last dimension is recorded, so that ONNX Runtime can fold the operator's function.
    """

    def __init__(self, instruction_set: str = "portable", *, integers: bool = False) -> None:
        """Pack for an instruction set, and for values that become int8 or stay float32."""
        self._instruction_set = instruction_set
        self._integers = integers

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Pack, and add the function that defines the operator."""
        sharing: dict[ir.Value, list[Linear]] = defaultdict(list)
        for layer in find_linears(model.graph):
            sharing[layer.weight].append(layer)
        packed = [
            (layers, rows)
            for weight, layers in sharing.items()
            if _is_free(weight, layers) and (rows := self._pack(layers[0].matrix)) is not None
        ]
        for layers, rows in packed:
            _replace(model.graph, layers, rows)
        if packed:
            domain.define(model, sparse_linear.BODY)
        return ir.passes.PassResult(model, modified=bool(packed))

    def _pack(self, matrix: np.ndarray) -> BlockSparseRows | None:
        """Pack in the best block shape, None where the matrix better stays dense."""
        block = best_block(matrix, self._instruction_set, integers=self._integers)
        return None if block is None else pack(matrix, block)


def _is_free(weight: ir.Value, layers: list[Linear]) -> bool:
    """Whether these layers, all in the same orientation, are the only readers of their weight."""
    alone = len(tuple(weight.uses())) == len(layers) and not weight.is_graph_output()
    ranked = all(layer.x.shape is not None for layer in layers)
    return alone and ranked and len({layer.transposed for layer in layers}) == 1


def _replace(graph: ir.Graph, layers: list[Linear], rows: BlockSparseRows) -> None:
    name = layers[0].name
    arrays = [
        add_initializer(graph, f"{name}.values", rows.values),
        add_initializer(graph, f"{name}.crow_indices", rows.crow_indices),
        add_initializer(graph, f"{name}.col_indices", rows.col_indices),
    ]
    for index, layer in enumerate(layers):
        nodes, activation = _with_activation(layer)
        node = ir.Node(
            domain.DOMAIN,
            sparse_linear.OP_TYPE,
            [_sized(layer.x, rows.shape[1]), *arrays, None, _bias(graph, layer)],
            sparse_linear.attributes(rows, activation),
            name=f"{name}_{index}" if index else name,
        )
        ir.convenience.replace_nodes_and_values(
            graph, nodes[-1], nodes, [node], nodes[-1].outputs, node.outputs
        )
    del graph.initializers[layers[0].weight.name or ""]


def _with_activation(layer: Linear) -> tuple[list[ir.Node], str]:
    gelu = only_consumer(layer.y)
    if gelu is None or not is_op(gelu, "Gelu") or gelu.attributes.get_string("approximate", "none") != "none":
        return [*layer.nodes], "none"
    return [*layer.nodes, gelu], "gelu"


def _sized(x: ir.Value, width: int) -> ir.Value:
    """Record a value's last dimension."""
    x.shape = ir.Shape([*tuple(x.shape or ())[:-1], width])
    return x


def _bias(graph: ir.Graph, layer: Linear) -> ir.Value:
    """Give the bias as [N], zeros where there is none: a function that is inlined cannot miss an input."""
    bias = layer.bias
    if bias is not None and bias.is_initializer() and bias.shape == layer.flat_bias.shape:
        return bias
    return add_initializer(graph, f"{layer.name}.bias", layer.flat_bias)
