"""Which block shape stores a matrix in the fewest bytes."""

import numpy as np

from kaprune_edge.sparsity.packing import packed_bytes

__all__ = ["BLOCKS", "LARGEST_SHARE", "best_block"]

BLOCKS = ((1, 1), (1, 4), (4, 1), (8, 1), (16, 1), (4, 4), (32, 1))
"""Block shapes to choose from; of those that take the same bytes, the first."""
LARGEST_SHARE = 0.9
"""A matrix stays dense unless its packed form takes at most this share of its bytes."""


def best_block(matrix: np.ndarray) -> tuple[tuple[int, int] | None, int]:
    """Choose how to store a float32 [N, K] matrix.

    Returns:
        Block shape, None for dense, and the bytes that it takes.
    """
    height, width = matrix.shape
    sizes = {
        block: packed_bytes(matrix, block)
        for block in BLOCKS
        if height % block[0] == 0 and width % block[1] == 0
    }
    best = min(sizes, key=lambda block: sizes[block])
    return (best, sizes[best]) if sizes[best] <= LARGEST_SHARE * matrix.nbytes else (None, matrix.nbytes)
