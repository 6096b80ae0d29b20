"""Embedding tables, as a graph reads them."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from kaprune_edge.export.graph import constant, is_op

__all__ = ["Embedding", "find_embeddings", "find_word_embedding"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """A constant float32 table of which only Gather takes rows."""

    table: ir.Value
    content: np.ndarray
    """[rows, width]"""
    gathers: tuple[ir.Node, ...]
    """All its readers."""

    @property
    def name(self) -> str:
        """The table's name, as its parameter has it."""
        return (self.table.name or "").removesuffix(".weight")

    @property
    def reads_tokens(self) -> bool:
        """Whether the token ids themselves, the graph's input, choose the rows."""
        indices = [gather.inputs[1] for gather in self.gathers]
        return all(value is not None and value.name == "input_ids" for value in indices)


def find_embeddings(graph: ir.Graph) -> list[Embedding]:
    """Find the embedding tables of a graph, in the order of its initializers."""
    return [found for value in graph.initializers.values() if (found := _find(value)) is not None]


def find_word_embedding(graph: ir.Graph) -> Embedding | None:
    """Find the one table whose rows the token ids choose."""
    found = [embedding for embedding in find_embeddings(graph) if embedding.reads_tokens]
    return found[0] if len(found) == 1 else None


def _find(table: ir.Value) -> Embedding | None:
    uses, content = tuple(table.uses()), constant(table)
    if not uses or content is None or content.ndim != 2 or content.dtype != np.float32:
        return None
    if table.is_graph_output() or any(use.idx != 0 or not _takes_rows(use.node) for use in uses):
        return None
    return Embedding(table, content, tuple(use.node for use in uses))


def _takes_rows(node: ir.Node) -> bool:
    return is_op(node, "Gather") and node.attributes.get_int("axis", 0) == 0
