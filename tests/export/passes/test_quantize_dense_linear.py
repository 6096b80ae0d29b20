import graphs
import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from kaprune_edge.export.passes.quantize_dense_linear import QuantizeDenseLinear

WIDTH = 256
FORMS = {
    "y = MatMul(x, transposed)": False,
    "product = MatMul(x, transposed) y = Add(product, bias)": True,
    "y = Gemm<transB=1>(x, matrix, bias)": True,
}


def make(form, **arrays):
    used = {name: content for name, content in arrays.items() if name in form}
    return graphs.parse(form, f"(float[N,{WIDTH}] x) => (float[N,{WIDTH}] y)", **used)


def run_as_written(model, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = ir.serde.serialize_model(model).SerializeToString()
    return onnxruntime.InferenceSession(content, options).run(None, {"x": x})[0]


@pytest.mark.parametrize("form", FORMS)
def test_outputs_are_those_of_rows_in_127ths_of_their_largest_weight(form):
    random = np.random.default_rng(0)
    shapes = ((WIDTH, WIDTH), WIDTH, (5, WIDTH))
    matrix, bias, x = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    matrix[3] = 0
    model = make(form, matrix=matrix, transposed=matrix.T.copy(), bias=bias)
    assert QuantizeDenseLinear()(model).modified
    steps = np.abs(matrix).max(axis=1, keepdims=True) / np.float32(127)
    rounded = np.rint(matrix / np.where(steps == 0, 1, steps)) * steps
    expected = x @ rounded.T + bias * FORMS[form]
    np.testing.assert_allclose(run_as_written(model, x), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(graphs.run(model, {"x": x}), expected, atol=0.05 * expected.std())
    assert max(value.const_value.nbytes for value in model.graph.initializers.values()) == WIDTH * WIDTH


def test_small_and_shared_matrices_are_left_alone():
    small = np.ones((8, WIDTH), np.float32)
    model = graphs.parse("y = MatMul(x, w)", f"(float[N,{WIDTH}] x) => (float[N,8] y)", w=small.T.copy())
    assert not QuantizeDenseLinear()(model).modified
    shared = graphs.parse(
        "first = MatMul(x, w) y = MatMul(first, w)",
        f"(float[N,{WIDTH}] x) => (float[N,{WIDTH}] y)",
        w=np.ones((WIDTH, WIDTH), np.float32),
    )
    assert not QuantizeDenseLinear()(shared).modified
