import graphs
import numpy as np
import onnx_ir as ir
import pytest
import torch

from kaprune_edge.export.passes.pack_sparse_linear import PackSparseLinear
from kaprune_edge.sparsity.packing import BlockSparseRows, unpack
from kaprune_edge.sparsity.patterns import NofM

BLOCKS = [(1, 1), (1, 4), (4, 1), (8, 1), (16, 1), (4, 4), (32, 1)]
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 5, 64), np.float32)
SIGNATURE = "(float[batch, length, 64] x) => (float[batch, length, 96] y)"


def pruned(block=(1, 1), sparsity=0.8, shape=(96, 64)):
    matrix = RANDOM.standard_normal(shape, np.float32) / 4
    graphs.keep_largest(matrix, block, sparsity)
    return matrix


def linear(matrix, body="y = MatMul (x, weight)", signature=SIGNATURE, **constants):
    return graphs.parse(body, signature, weight=matrix.T.copy(), **constants)


def packed_matrix(node, shape):
    values, crow_indices, col_indices = (value.const_value.numpy() for value in node.inputs[1:4])
    return unpack(BlockSparseRows(shape, values, crow_indices, col_indices))


def check(model, reference):
    """Check a packed model's results and that it holds nothing dense."""
    np.testing.assert_allclose(graphs.run(model, {"x": X}), reference, rtol=1e-5, atol=3e-5)
    assert all(len(value.shape) != 2 for value in model.graph.initializers.values())


@pytest.mark.parametrize("block", BLOCKS)
def test_a_matrix_gets_the_blocks_it_was_pruned_in(block):
    matrix = pruned(block)
    model = linear(matrix)
    PackSparseLinear("neon_dotprod", integers=True)(model)
    (node,) = model.graph
    assert (node.domain, node.op_type) == ("ai.kaprune", "SparseLinear")
    assert tuple(node.attributes["blocksize"].as_ints()) == block
    np.testing.assert_array_equal(packed_matrix(node, matrix.shape), matrix)
    check(model, X @ matrix.T)


@pytest.mark.parametrize(
    ("block", "instruction_set", "integers", "expected"),
    [
        ((4, 4), "avx2", False, (4, 1)),
        ((1, 4), "avx2", False, (1, 4)),
        ((4, 4), "avx2", True, (4, 4)),
        ((4, 4), "neon", True, (4, 4)),  # in 4x1 it would take a third more
        ((8, 1), "avx512", True, (8, 1)),
    ],
)
def test_the_target_has_a_say_in_the_blocks(block, instruction_set, integers, expected):
    matrix = pruned(block, shape=(512, 512))
    signature = "(float[batch, 512] x) => (float[batch, 512] y)"
    model = linear(matrix, signature=signature)
    PackSparseLinear(instruction_set, integers=integers)(model)
    (node,) = model.graph
    assert tuple(node.attributes["blocksize"].as_ints()) == expected
    x = RANDOM.standard_normal((2, 512), np.float32)
    np.testing.assert_allclose(graphs.run(model, {"x": x}), x @ matrix.T, rtol=1e-4, atol=1e-4)


def test_n_of_m_sparsity_is_packed_as_unstructured():
    matrix = RANDOM.standard_normal((96, 64), np.float32)
    matrix *= NofM(1, 4).mask(torch.from_numpy(np.abs(matrix)), 0.75).numpy()
    model = linear(matrix)
    PackSparseLinear()(model)
    assert tuple(next(iter(model.graph)).attributes["blocksize"].as_ints()) == (1, 1)
    check(model, X @ matrix.T)


def test_empty_block_rows_and_empty_matrices():
    holes, empty = pruned((4, 1)), np.zeros((96, 64), np.float32)
    holes[[*range(8), *range(40, 48), *range(88, 96)]] = 0
    for matrix in (holes, empty):
        model = linear(matrix)
        PackSparseLinear()(model)
        assert graphs.op_types(model) == ["SparseLinear"]
        check(model, X @ matrix.T)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_wide_matrix_gets_wide_indices(rows):
    matrix = np.zeros((rows, 70_000), np.float32)
    matrix[:, [3, 69_999]] = 2
    model = linear(matrix, signature=f"(float[batch, 70000] x) => (float[batch, {rows}] y)")
    PackSparseLinear()(model)
    (node,) = model.graph
    assert node.inputs[3].const_value.dtype == ir.DataType.UINT32
    x = RANDOM.standard_normal((2, 70_000), np.float32)
    np.testing.assert_allclose(graphs.run(model, {"x": x}), x @ matrix.T, rtol=1e-5)


def test_bias_and_gelu_join_the_node():
    matrix, bias = pruned(), RANDOM.standard_normal(96, np.float32)
    model = linear(matrix, "product = MatMul (x, weight) sum = Add (bias, product) y = Gelu (sum)", bias=bias)
    PackSparseLinear()(model)
    assert graphs.op_types(model) == ["SparseLinear"]
    check(model, torch.nn.functional.gelu(torch.from_numpy(X @ matrix.T + bias)))


def test_gelu_by_tanh_does_not_join():
    model = linear(pruned(), 'product = MatMul (x, weight) y = Gelu <approximate: string = "tanh"> (product)')
    before = graphs.run(model, {"x": X})
    PackSparseLinear()(model)
    assert graphs.op_types(model) == ["SparseLinear", "Gelu"]
    check(model, before)


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm_is_a_linear_layer(transposed):
    matrix, bias = pruned(), RANDOM.standard_normal((1, 96), np.float32)
    weight = matrix if transposed else matrix.T.copy()
    model = graphs.parse(
        f"y = Gemm <transB: int = {transposed}> (x, weight, bias)",
        "(float[batch, 64] x) => (float[batch, 96] y)",
        weight=weight,
        bias=bias,
    )
    PackSparseLinear()(model)
    assert graphs.op_types(model) == ["SparseLinear"]
    np.testing.assert_allclose(graphs.run(model, {"x": X[0]}), X[0] @ matrix.T + bias, atol=2e-5)


@pytest.mark.parametrize("sparsity", [0, 0.1])
def test_a_matrix_that_packing_would_enlarge_stays_dense(sparsity):
    model = linear(pruned(sparsity=sparsity))
    assert not PackSparseLinear()(model).modified
    assert "ai.kaprune" not in model.opset_imports


def test_a_shared_matrix_is_packed_once():
    matrix = pruned(shape=(64, 64))
    model = linear(
        matrix,
        "first = MatMul (x, weight) y = MatMul (first, weight)",
        "(float[batch, length, 64] x) => (float[batch, length, 64] y)",
    )
    PackSparseLinear()(model)
    first, second = model.graph
    assert first.inputs[1] is second.inputs[1]
    check(model, X @ matrix.T @ matrix.T)


def test_a_matrix_that_is_also_read_otherwise_stays_dense():
    body = "product = MatMul (x, weight) sum = ReduceSum <keepdims: int = 0> (weight) y = Add (product, sum)"
    assert not PackSparseLinear()(linear(pruned(), body)).modified
