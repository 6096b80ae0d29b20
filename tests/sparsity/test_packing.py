import numpy as np
import pytest
import torch

from kaprune_edge.sparsity.packing import pack, packed_bytes, unpack
from kaprune_edge.sparsity.patterns import Blocks
from kaprune_runtime.errors import InputError


def pruned(shape, block, sparsity, seed=0):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return (weight * Blocks(*block).mask(weight.abs(), sparsity)).numpy()


@pytest.mark.parametrize("block", [(1, 1), (1, 4), (4, 1), (8, 1), (16, 1), (4, 4), (32, 1)])
@pytest.mark.parametrize("sparsity", [0, 0.6, 0.95])
def test_packing_is_torchs_block_sparse_rows(block, sparsity):
    weight = pruned((64, 96), block, sparsity)
    packed = pack(weight, block)
    reference = torch.from_numpy(weight).to_sparse_bsr(block)
    np.testing.assert_array_equal(packed.values, reference.values())
    np.testing.assert_array_equal(packed.crow_indices, reference.crow_indices())
    np.testing.assert_array_equal(packed.col_indices, reference.col_indices())
    np.testing.assert_array_equal(unpack(packed), weight)
    assert packed.nbytes == packed_bytes(weight, block)


def test_empty_rows_and_an_empty_matrix_survive():
    weight = np.zeros((8, 6), np.float32)
    weight[4, 2] = 3
    for matrix in (weight, np.zeros_like(weight)):
        np.testing.assert_array_equal(unpack(pack(matrix, (2, 1))), matrix)


def test_wide_matrices_get_wide_indices():
    weight = np.zeros((1, 70_000), np.float32)
    weight[0, 69_999] = 1
    packed = pack(weight, (1, 1))
    assert packed.col_indices.dtype == np.uint32
    np.testing.assert_array_equal(unpack(packed), weight)


def test_a_block_that_does_not_divide_is_refused():
    with pytest.raises(InputError, match="does not divide"):
        pack(np.zeros((6, 4), np.float32), (4, 1))
