"""Embedding tables become int8 or int4."""

import numpy as np
import onnx_ir as ir

from kaprune_edge.export.embedding import Embedding, find_embeddings
from kaprune_edge.export.graph import add_initializer
from kaprune_edge.export.quantized_table import code_groups, scale_rows
from kaprune_runtime.errors import InputError

__all__ = ["KINDS", "QuantizeEmbeddings"]

KINDS = ("int8", "int4")
_FEWEST_ROWS = 64


class QuantizeEmbeddings(ir.passes.InPlacePass):
    """Replaces each embedding table by integers, of which only the rows used are turned into floats.

    - int8: a scale a row, see `scale_rows`.
    - int4: the table that the token ids index gets four bits a weight and a scale for each group of up to 64,
      see `code_groups`; the others, of positions, get int8.
    - A table of fewer than 64 rows (token types, relative positions) stays as it is, and so does one that is
      read otherwise than by taking rows.
    - The outputs are those of the rounded tables. The nodes are standard ONNX, and none of them can be
      computed before the token ids are known, so that no runtime makes the table dense while loading.
    """

    def __init__(self, kind: str) -> None:
        """Choose between `KINDS`.

        Raises:
            InputError: It is none of them.
        """
        if kind not in KINDS:
            raise InputError(f"unknown embeddings '{kind}'; choose from {', '.join(KINDS)}")
        self._kind = kind

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Quantize every table."""
        large = [found for found in find_embeddings(model.graph) if len(found.content) >= _FEWEST_ROWS]
        for embedding in large:
            even = embedding.content.shape[1] % 2 == 0
            coded = self._kind == "int4" and embedding.reads_tokens and even
            (_code_groups if coded else _scale_rows)(model.graph, embedding)
            del model.graph.initializers[embedding.table.name or ""]
        return ir.passes.PassResult(model, modified=bool(large))


def _scale_rows(graph: ir.Graph, embedding: Embedding) -> None:
    rows = scale_rows(embedding.content)
    values = add_initializer(graph, f"{embedding.name}.values", rows.values)
    scales = add_initializer(graph, f"{embedding.name}.scales", rows.scales)
    for gather in embedding.gathers:
        chosen, scale = (ir.node("Gather", [table, gather.inputs[1]]) for table in (values, scales))
        floats = ir.node("Cast", chosen.outputs, {"to": ir.DataType.FLOAT})
        product = ir.node("Mul", [floats.outputs[0], scale.outputs[0]])
        _replace(graph, gather, [chosen, scale, floats, product])


def _code_groups(graph: ir.Graph, embedding: Embedding) -> None:
    """Look up two levels with each byte of the rows used: [B, T, W / 2] to [B, T, groups, W / groups]."""
    coded = code_groups(embedding.content)
    width, groups = embedding.content.shape[1], coded.scales.shape[1]
    codes = add_initializer(graph, f"{embedding.name}.codes", coded.codes)
    pairs = add_initializer(graph, f"{embedding.name}.pairs", coded.pairs)
    scales = add_initializer(graph, f"{embedding.name}.scales", coded.scales)
    split = add_initializer(graph, f"{embedding.name}.split", np.array([0, 0, groups, width // groups]))
    merge = add_initializer(graph, f"{embedding.name}.merge", np.array([0, 0, width]))
    for gather in embedding.gathers:
        chosen, scale = (ir.node("Gather", [table, gather.inputs[1]]) for table in (codes, scales))
        places = ir.node("Cast", chosen.outputs, {"to": ir.DataType.INT32})
        levels = ir.node("Gather", [pairs, places.outputs[0]])
        grouped = ir.node("Reshape", [levels.outputs[0], split])
        factors = ir.node("Cast", scale.outputs, {"to": ir.DataType.FLOAT})
        product = ir.node("Mul", [grouped.outputs[0], factors.outputs[0]])
        merged = ir.node("Reshape", [product.outputs[0], merge])
        _replace(graph, gather, [chosen, scale, places, levels, grouped, factors, product, merged])


def _replace(graph: ir.Graph, gather: ir.Node, nodes: list[ir.Node]) -> None:
    ir.convenience.replace_nodes_and_values(graph, gather, [gather], nodes, gather.outputs, nodes[-1].outputs)
