"""Graph passes, one a file."""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from kaprune_edge.export.passes.pack_sparse_linear import PackSparseLinear
from kaprune_edge.export.passes.remove_dead_heads import RemoveDeadHeads
from kaprune_edge.export.passes.remove_dead_neurons import RemoveDeadNeurons

__all__ = ["optimization"]


def optimization() -> ir.passes.PassManager:
    """Give the passes of an export, in their order."""
    return ir.passes.PassManager(
        [RemoveDeadHeads(), RemoveDeadNeurons(), PackSparseLinear(), RemoveUnusedNodesPass()]
    )
