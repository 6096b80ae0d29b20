"""Training steps that cost what the kept weights cost."""

from kaprune_edge.sparse_training.linear import multiply_kept, multiply_whole
from kaprune_edge.sparse_training.rows import available

__all__ = ["available", "multiply_kept", "multiply_whole"]
