"""Graph passes, one a file."""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from kaprune_edge.export.passes.pack_sparse_linear import PackSparseLinear

__all__ = ["optimization"]


def optimization() -> ir.passes.PassManager:
    """Give the passes of an export, in their order."""
    return ir.passes.PassManager([PackSparseLinear(), RemoveUnusedNodesPass()])
