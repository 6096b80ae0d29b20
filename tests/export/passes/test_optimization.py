from collections import Counter

import graphs
import onnx_ir as ir
import onnxruntime
import pytest

from kaprune_edge.export.passes import optimization


def as_onnxruntime_runs_it(model, folder):
    """Count the operators that stock ONNX Runtime is left with after loading."""
    ir.save(model, folder / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "loaded.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return Counter(graphs.op_types(ir.load(folder / "loaded.onnx")))


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_stock_onnxruntime_runs_what_it_runs_of_the_dense_model(dense_graph, model_type, tmp_path):
    original = dense_graph(model_type)
    graphs.prune_graph(original)
    changed = graphs.copy(original)
    optimization()(changed)
    operators = graphs.op_types(changed)
    assert operators.count("SparseAttention") == operators.count("SparseFeedForward") == 2
    graphs.assert_same(changed, original)
    dense, sparse = as_onnxruntime_runs_it(original, tmp_path), as_onnxruntime_runs_it(changed, tmp_path)
    assert not sparse - dense
    assert dense["MatMul"] == sparse["MatMul"]


def test_a_dense_model_needs_no_operator_of_ours(dense_graph):
    model = dense_graph("bert")
    optimization()(model)
    assert not model.functions
    assert {node.domain for node in model.graph} == {""}
    graphs.assert_same(model, dense_graph("bert"), tolerance=0)
