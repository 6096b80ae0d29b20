"""Which block shape to store a matrix in."""

import numpy as np

from kaprune_edge.sparsity.packing import packed_bytes

__all__ = ["BLOCKS", "LARGEST_SHARE", "SLACK", "best_block", "fewest_bytes"]

Block = tuple[int, int]

BLOCKS: tuple[Block, ...] = ((1, 1), (1, 4), (4, 1), (8, 1), (16, 1), (4, 4), (32, 1))
"""Block shapes to choose from; of those that are equally good, the first."""
LARGEST_SHARE = 0.9
"""A matrix stays dense unless its packed form takes at most this share of its bytes."""
SLACK = 1.1
"""A shape with a faster kernel is taken if it needs at most this many times the fewest bytes."""

_DOT_PRODUCTS = {"avx2", "avx512", "neon_dotprod", "neon_i8mm"}
"""Instruction sets that sum products of integers in one or two instructions."""


def best_block(matrix: np.ndarray, instruction_set: str, *, integers: bool) -> Block | None:
    """Choose how to store a float32 [N, K] matrix.

    Args:
        matrix: The matrix.
        instruction_set: Of the target.
        integers: Whether its values become int8.

    Returns:
        Block shape, None for dense.
    """
    value_bytes = 1 if integers else matrix.itemsize
    sizes = _sizes(matrix, value_bytes)
    fewest = min(sizes.values())
    if fewest > LARGEST_SHARE * value_bytes * matrix.size:
        return None
    integer_kernels = integers and instruction_set in _DOT_PRODUCTS
    small = [block for block, size in sizes.items() if size <= SLACK * fewest]
    return min(small, key=lambda block: (_slowness(block, integer_kernels), sizes[block]))


def fewest_bytes(matrix: np.ndarray) -> int:
    """Bytes of a float32 [N, K] matrix in the smallest block shape, or dense where none is worth it."""
    fewest = min(_sizes(matrix, matrix.itemsize).values())
    return fewest if fewest <= LARGEST_SHARE * matrix.nbytes else matrix.nbytes


def _sizes(matrix: np.ndarray, value_bytes: int) -> dict[Block, int]:
    height, width = matrix.shape
    return {
        block: packed_bytes(matrix, block, value_bytes)
        for block in BLOCKS
        if height % block[0] == 0 and width % block[1] == 0
    }


def _slowness(block: Block, integer_kernels: bool) -> int:
    """Rank the operator library's kernels, the fastest 0.

    Rows in fours share what they load; products of integers take four neighbouring inputs as they come.
    """
    tall, wide = block[0] % 4 == 0, block[1] % 4 == 0
    if integer_kernels:
        return {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[tall, wide]
    return 0 if tall and block[1] == 1 else 1
