"""Embedding tables in few bits: int8 per row, int4 per group of 64."""

from dataclasses import dataclass

import numpy as np

__all__ = ["CodedGroups", "ScaledRows", "code_groups", "scale_rows"]

_LARGEST_GROUP = 64
_LEVELS = 16
_SAMPLE = 2**20
"""Weights that the levels are fitted to."""


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """Row r is `scales[r]` times its int8 values."""

    values: np.ndarray
    """int8 [rows, width]"""
    scales: np.ndarray
    """float32 [rows, 1]"""


@dataclass(frozen=True, eq=False)
class CodedGroups:
    """Group g of row r is `scales[r, g]` times the levels that its codes, of four bits, choose."""

    codes: np.ndarray
    """uint8 [rows, width / 2]: two codes each, that of the even column in the low bits"""
    pairs: np.ndarray
    """float32 [256, 2]: the two levels that each byte of `codes` chooses"""
    scales: np.ndarray
    """float16 [rows, groups, 1]"""


def scale_rows(table: np.ndarray) -> ScaledRows:
    """Round each row to multiples of 1/127 of its largest magnitude.

    Args:
        table: float32 [rows, width].
    """
    scales = np.abs(table).max(axis=1, keepdims=True) / np.float32(127)
    return ScaledRows(np.rint(_quotient(table, scales)).astype(np.int8), scales)


def code_groups(table: np.ndarray) -> CodedGroups:
    """Round to 16 levels that the whole table shares, times a scale for each group of up to 64 columns.

    Levels (by Lloyd's algorithm, Least squares quantization in PCM, 1982) and scales (by least squares) are
    fitted in turns to the smallest squared error.

    Args:
        table: float32 [rows, width], the width even.
    """
    rows, width = table.shape
    group = next(size for size in range(min(width, _LARGEST_GROUP), 0, -1) if width % size == 0)
    unit = np.abs(table).max()
    weights = _quotient(table, unit).reshape(rows, -1, group)
    sample = weights[:: -(-table.size // _SAMPLE)]
    scales = _largest(sample)
    for _ in range(3):
        levels = _fit_levels(sample, scales)
        scales = _fit_scales(sample, scales, levels)
    scales = _largest(weights)
    for _ in range(2):
        scales = _fit_scales(weights, scales, levels)
    codes = _nearest(weights, scales, levels).reshape(rows, width)
    both = np.arange(_LEVELS**2)
    pairs = unit * levels[np.stack([both % _LEVELS, both // _LEVELS], axis=1)]
    return CodedGroups(codes[:, ::2] | codes[:, 1::2] << 4, pairs, scales.astype(np.float16))


def _fit_levels(weights: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Give 16 ascending levels of the least squared error to scaled weights."""
    content = np.sort(_quotient(weights, scales), axis=None).astype(np.float64)
    sums = np.concatenate([[0], np.cumsum(content)])
    levels = np.quantile(content, (np.arange(_LEVELS) + 0.5) / _LEVELS)
    for _ in range(50):
        borders = np.searchsorted(content, _between(levels))
        starts, ends = np.concatenate([[0], borders]), np.concatenate([borders, [len(content)]])
        means = (sums[ends] - sums[starts]) / np.maximum(ends - starts, 1)
        levels = np.where(ends > starts, means, levels)
    return levels.astype(np.float32)


def _fit_scales(weights: np.ndarray, scales: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Give each group the scale of the least squared error for the codes that it has now."""
    chosen = levels[_nearest(weights, scales, levels)]
    products, squares = ((chosen * other).sum(axis=-1, keepdims=True) for other in (weights, chosen))
    return _half(_quotient(products, squares))


def _nearest(weights: np.ndarray, scales: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.searchsorted(_between(levels), _quotient(weights, scales)).astype(np.uint8)


def _between(levels: np.ndarray) -> np.ndarray:
    return (levels[1:] + levels[:-1]) / 2


def _largest(weights: np.ndarray) -> np.ndarray:
    return _half(np.abs(weights).max(axis=-1, keepdims=True))


def _half(scales: np.ndarray) -> np.ndarray:
    """Round to what float16 holds."""
    return scales.astype(np.float16).astype(np.float32)


def _quotient(numbers: np.ndarray, divisors: np.ndarray) -> np.ndarray:
    """Divide, by 1 in the place of 0, which is the scale of what is all zeros."""
    return numbers / np.where(divisors == 0, np.float32(1), divisors)
