"""The int8 definition of SparseLinear, on ONNX Runtime alone, beside integer arithmetic."""

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from kaprune_edge.export import sparse_linear
from kaprune_edge.sparsity.packing import pack

RANDOM = np.random.default_rng(0)


def run(integers, scales, bias, block, x, optimized="", body=sparse_linear.INT8_BODY):
    packed = pack(integers.astype(np.float32), block)
    tensors = {
        "values": packed.values.astype(np.int8),
        "crow_indices": packed.crow_indices,
        "col_indices": packed.col_indices,
        "scales": scales,
        "bias": bias,
    }
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 20, "ai.kaprune" : 1]> tested '
        f"(float[tokens, {integers.shape[1]}] x) => (float[tokens, {len(integers)}] y) {{"
        f"y = ai.kaprune.SparseLinear <out_features = {len(integers)}, blocksize = {list(block)}, "
        f'activation = "none">'
        f"(x, {', '.join(tensors)}) }}"
    )
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in tensors.items()
    )
    model.functions.append(onnx.parser.parse_function(body))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {"x": x})[0]


def draw(block, shape=(60, 50)):
    kept = RANDOM.random((shape[0] // block[0], shape[1] // block[1])) < 0.3
    integers = RANDOM.integers(-127, 128, shape) * np.kron(kept, np.ones(block, int))
    return integers, RANDOM.random(shape[0], np.float32), RANDOM.standard_normal(shape[0], np.float32)


@pytest.mark.parametrize("block", [(1, 1), (4, 1), (1, 5), (3, 5)], ids=str)
def test_results_are_those_of_integer_sums(block):
    integers, scales, bias = draw(block)
    x = RANDOM.standard_normal((19, 50), np.float32) * np.logspace(-6, 6, 19, dtype=np.float32)[:, None]
    x[3] = 0
    largest = np.maximum(np.abs(x).max(axis=1, keepdims=True), np.float32(1e-30))
    tokens = np.rint(x * (np.float32(127) / largest)).astype(np.int64)
    assert np.abs(tokens).max() == 127
    expected = (tokens @ integers.T) * (largest.astype(np.float64) / 127) * scales + bias
    np.testing.assert_allclose(run(integers, scales, bias, block, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("equalized", [True, False])
def test_factors_multiply_what_is_rounded(equalized):
    integers, scales, bias = draw((4, 1))
    x = RANDOM.standard_normal((19, 50), np.float32)
    factors = 10 ** RANDOM.uniform(-3, 3, 50).astype(np.float32) if equalized else np.ones(50, np.float32)
    x /= factors
    largest = np.abs(x * factors).max(axis=1, keepdims=True)
    tokens = np.rint(x * factors * (np.float32(127) / largest)).astype(np.int64)
    expected = (tokens @ integers.T) * (largest.astype(np.float64) / 127) * scales + bias
    given = np.concatenate([scales, factors]) if equalized else scales
    actual = run(integers, given, bias, (4, 1), x, body=sparse_linear.EQUALIZED_INT8_BODY)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("body", [sparse_linear.INT8_BODY, sparse_linear.EQUALIZED_INT8_BODY])
def test_what_is_constant_is_folded(tmp_path, body):
    optimized = tmp_path / "optimized.onnx"
    run(*draw((4, 1)), (4, 1), RANDOM.standard_normal((3, 50), np.float32), optimized, body)
    types = {node.op_type for node in onnx.load(optimized).graph.node}
    assert types <= {"Abs", "ReduceMax", "Max", "Div", "Mul", "Round", "MatMul", "Add", "Reciprocal"}
