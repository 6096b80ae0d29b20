"""Packed values in int8."""

import numpy as np


def round_rows(values: np.ndarray, crow_indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round each row of a packed matrix to multiples of 1/127 of its largest magnitude.

    Args:
        values: float32 [blocks, R, C], as `BlockSparseRows` has them.
        crow_indices: int32 [N / R + 1], likewise.

    Returns:
        int8 [blocks, R, C], and the scale of each row, float32 [N], by which to multiply them.
    """
    block_row = np.repeat(np.arange(len(crow_indices) - 1), np.diff(crow_indices))
    largest = np.zeros((len(crow_indices) - 1, values.shape[1]), np.float32)
    np.maximum.at(largest, block_row, np.abs(values).max(axis=2, initial=0))
    # A row of zeros has any scale.
    scales = np.where(largest == 0, 1, largest / np.float32(127)).astype(np.float32)
    return np.rint(values / scales[block_row, :, None]).astype(np.int8), scales.reshape(-1)
