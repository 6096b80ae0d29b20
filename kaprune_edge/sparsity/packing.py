"""Block-sparse rows: the compressed form of a pruned matrix, named as `torch.sparse_bsr_tensor` names it."""

from dataclasses import dataclass

import numpy as np

from kaprune_runtime.errors import InputError


@dataclass(frozen=True, eq=False)
class BlockSparseRows:
    """A matrix of shape [N, K] kept as its nonzero R x C blocks, in row order."""

    shape: tuple[int, int]
    values: np.ndarray
    """float32 [blocks, R, C]."""
    crow_indices: np.ndarray
    """int32 [N / R + 1]: where each block row starts in `values`."""
    col_indices: np.ndarray
    """uint16, or uint32 where K / C > 65535, [blocks]: the block's column, ascending in each block row."""

    @property
    def nbytes(self) -> int:
        """Bytes of the three arrays together."""
        return self.values.nbytes + self.crow_indices.nbytes + self.col_indices.nbytes


def pack(weight: np.ndarray, block: tuple[int, int]) -> BlockSparseRows:
    """Compress a matrix; `unpack` gives it back bit by bit.

    Args:
        weight: float32 [N, K].
        block: Rows R and columns C of a block; must divide N and K.

    Raises:
        InputError: The block does not divide the matrix.
    """
    blocks = _blocked(weight, block)
    kept = blocks.any(axis=(2, 3))
    row, column = np.nonzero(kept)
    index_type = np.uint16 if kept.shape[1] <= 65535 else np.uint32
    crow_indices = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return BlockSparseRows(
        (weight.shape[0], weight.shape[1]),
        np.ascontiguousarray(blocks[row, column], dtype=np.float32),
        crow_indices.astype(np.int32),
        column.astype(index_type),
    )


def unpack(packed: BlockSparseRows) -> np.ndarray:
    """Expand to the dense float32 [N, K] matrix."""
    _, rows, columns = packed.values.shape
    height, width = packed.shape[0] // rows, packed.shape[1] // columns
    dense = np.zeros((height, width, rows, columns), np.float32)
    row = np.repeat(np.arange(height), np.diff(packed.crow_indices))
    dense[row, packed.col_indices] = packed.values
    return dense.transpose(0, 2, 1, 3).reshape(packed.shape)


def packed_bytes(weight: np.ndarray, block: tuple[int, int], value_bytes: int = 4) -> int:
    """Bytes that `pack` would take, without packing, or what becomes of it with smaller values.

    Args:
        weight: float32 [N, K].
        block: Rows and columns of a block.
        value_bytes: Bytes of a value.

    Raises:
        InputError: The block does not divide the matrix.
    """
    kept = _blocked(weight, block).any(axis=(2, 3))
    index_bytes = 2 if kept.shape[1] <= 65535 else 4
    return int(kept.sum()) * (value_bytes * block[0] * block[1] + index_bytes) + 4 * (kept.shape[0] + 1)


def _blocked(weight: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """View [N, K] as [N / R, K / C, R, C]."""
    (height, width), (rows, columns) = weight.shape, block
    if height % rows or width % columns:
        raise InputError(f"block {rows}x{columns} does not divide a {height} x {width} matrix")
    return weight.reshape(height // rows, rows, width // columns, columns).transpose(0, 2, 1, 3)
