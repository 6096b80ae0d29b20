import graphs
import numpy as np
import onnx_ir as ir
import pytest

from kaprune_edge.export.passes import optimization
from kaprune_edge.export.passes.quantize_sparse_linear import QuantizeSparseLinear


def round_rows(matrix):
    """Round a dense [N, K] matrix in place, independently of the pass."""
    for row in matrix:
        if row.any():
            step = np.abs(row).max() / np.float32(127)
            row[:] = np.rint(row / step) * step


@pytest.mark.parametrize("block", [(1, 1), (4, 1)], ids=str)
def test_results_are_those_of_the_rounded_matrices(dense_graph, block):
    original = dense_graph("bert")
    graphs.prune_graph(original, block)
    quantized = graphs.copy(original)
    optimization()(quantized)
    assert QuantizeSparseLinear()(quantized).modified
    for role in ("query", "key", "value", "attention_output", "intermediate", "output"):
        for index in (0, 1):
            graphs.edit(original, graphs.layer_name("bert", role, index), round_rows)
    graphs.assert_same(quantized, original)


def test_no_float_copy_stays(dense_graph):
    model = dense_graph("bert")
    graphs.prune_graph(model)
    optimization()(model)
    floats = {name for name in model.graph.initializers if name.endswith(".values")}
    QuantizeSparseLinear()(model)
    assert not floats & set(model.graph.initializers)
    integers = [v for name, v in model.graph.initializers.items() if name.endswith(".integers")]
    assert len(integers) == len(floats)
    assert {value.dtype for value in integers} == {ir.DataType.INT8}


def test_a_dense_model_is_left_alone(dense_graph):
    model = dense_graph("bert")
    assert not QuantizeSparseLinear()(model).modified
    assert not model.functions
