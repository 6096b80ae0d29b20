"""Graphs as they were traced, so that models of one architecture are traced once.

Tracing takes most of an export's time. The weights change nothing in its result but the initializers that
hold them.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

__all__ = ["TRANSPOSED", "TracedGraphs"]

TRANSPOSED = ".T"
"""Ends the name of an initializer that holds a parameter transposed."""


class TracedGraphs:
    """Keeps the graphs of a few architectures, without their weights."""

    def __init__(self, most: int = 4) -> None:
        """Keep the graphs of `most` architectures."""
        self._most = most
        self._graphs: dict[str, ir.Model] = {}

    def get(self, key: str, weights: Mapping[str, np.ndarray], trace: Callable[[], ir.Model]) -> ir.Model:
        """Give the graph of a model, to be changed at will.

        Args:
            key: Everything that the graph depends on.
            weights: Parameter -> what it holds.
            trace: Makes the graph; initializers that hold parameters are named after them.
        """
        if key not in self._graphs:
            while len(self._graphs) >= self._most:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = traced = trace()
            for name in _parameters(traced.graph, weights):
                traced.graph.initializers[name].const_value = None
        model = self._graphs[key].clone()
        for name in _parameters(model.graph, weights):
            content = weights[name] if name in weights else weights[name.removesuffix(TRANSPOSED)].T
            tensor = ir.tensor(np.ascontiguousarray(content), name=name)
            model.graph.initializers[name].const_value = tensor
        return model


def _parameters(graph: ir.Graph, weights: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name in graph.initializers if name.removesuffix(TRANSPOSED) in weights]
