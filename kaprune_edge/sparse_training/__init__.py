"""Training steps that cost what the kept weights cost."""

from kaprune_edge.sparse_training.linear import multiply_kept, multiply_whole

__all__ = ["multiply_kept", "multiply_whole"]
