"""Training steps that cost what the kept weights cost."""

from kaprune_edge.sparse_training.packed import PackedMatrices
from kaprune_edge.sparse_training.rows import available

__all__ = ["PackedMatrices", "available"]
