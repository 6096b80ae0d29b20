"""Graph passes, one a file."""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from kaprune_edge.export.passes.fuse_sparse_attention import FuseSparseAttention
from kaprune_edge.export.passes.fuse_sparse_feed_forward import FuseSparseFeedForward
from kaprune_edge.export.passes.pack_sparse_linear import PackSparseLinear
from kaprune_edge.export.passes.quantize_embeddings import QuantizeEmbeddings
from kaprune_edge.export.passes.remove_dead_heads import RemoveDeadHeads
from kaprune_edge.export.passes.remove_dead_neurons import RemoveDeadNeurons
from kaprune_edge.export.passes.remove_expand import RemoveExpand

__all__ = ["optimization", "quantization"]


def optimization() -> ir.passes.PassManager:
    """Give the passes that change no output, in their order."""
    return ir.passes.PassManager(
        [
            RemoveExpand(),
            RemoveDeadHeads(),
            RemoveDeadNeurons(),
            PackSparseLinear(),
            FuseSparseAttention(),
            FuseSparseFeedForward(),
            RemoveUnusedNodesPass(),
        ]
    )


def quantization(*, embeddings: str | None) -> ir.passes.PassManager | None:
    """Give the passes that round weights, None where none is asked for.

    Args:
        embeddings: One of `quantize_embeddings.KINDS`, or None.

    Raises:
        InputError: It is something else.
    """
    return ir.passes.PassManager([QuantizeEmbeddings(embeddings)]) if embeddings else None
