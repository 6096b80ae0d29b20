"""Graph passes, one a file."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from kaprune_edge.export.passes.fuse_sparse_attention import FuseSparseAttention
from kaprune_edge.export.passes.fuse_sparse_feed_forward import FuseSparseFeedForward
from kaprune_edge.export.passes.pack_sparse_linear import PackSparseLinear
from kaprune_edge.export.passes.quantize_dense_linear import QuantizeDenseLinear
from kaprune_edge.export.passes.quantize_embeddings import QuantizeEmbeddings
from kaprune_edge.export.passes.quantize_sparse_linear import QuantizeSparseLinear
from kaprune_edge.export.passes.remove_dead_heads import RemoveDeadHeads
from kaprune_edge.export.passes.remove_dead_neurons import RemoveDeadNeurons
from kaprune_edge.export.passes.remove_expand import RemoveExpand
from kaprune_runtime.errors import InputError

__all__ = ["optimization", "quantization"]


def optimization(instruction_set: str = "portable", *, integers: bool = False) -> ir.passes.PassManager:
    """Give the passes that change no output, in their order.

    Args:
        instruction_set: Of the target.
        integers: Whether packed matrices are to become int8.
    """
    return ir.passes.PassManager(
        [
            RemoveExpand(),
            RemoveDeadHeads(),
            RemoveDeadNeurons(),
            PackSparseLinear(instruction_set, integers=integers),
            FuseSparseAttention(),
            FuseSparseFeedForward(),
            RemoveUnusedNodesPass(),
        ]
    )


def quantization(
    *, weights: str | None, embeddings: str | None, factors: Mapping[str, np.ndarray] | None = None
) -> ir.passes.PassManager | None:
    """Give the passes that round weights, None where none is asked for.

    Args:
        weights: int8 or None, for the matrices of linear layers.
        embeddings: One of `quantize_embeddings.KINDS`, or None.
        factors: By which inputs of packed matrices are multiplied; see `QuantizeSparseLinear`.

    Raises:
        InputError: One of them is something else.
    """
    if weights not in (None, "int8"):
        raise InputError(f"cannot quantize to '{weights}'; choose int8")
    passes: list[ir.passes.InPlacePass] = []
    if weights:
        passes += [QuantizeSparseLinear(factors), QuantizeDenseLinear()]
    if embeddings:
        passes.append(QuantizeEmbeddings(embeddings))
    return ir.passes.PassManager(passes) if passes else None
