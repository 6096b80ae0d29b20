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


def round_tokens(model, name):
    """Round what a layer multiplies, in standard ONNX, independently of the operator's definition."""
    (product,) = [use.node for use in model.graph.initializers[f"{name}.weight.T"].uses()]
    x = product.inputs[0]
    steps = ir.tensor(np.float32(127), name=f"{name}.steps")
    model.graph.initializers[steps.name] = divisor = ir.Value(name=steps.name, const_value=steps)
    magnitude = ir.node("Abs", [x])
    axis = ir.node("Constant", [], {"value_ints": [-1]})
    largest = ir.node("ReduceMax", [magnitude.outputs[0], axis.outputs[0]])
    step = ir.node("Div", [largest.outputs[0], divisor])
    quotient = ir.node("Div", [x, step.outputs[0]])
    rounded = ir.node("Round", quotient.outputs)
    again = ir.node("Mul", [rounded.outputs[0], step.outputs[0]])
    model.graph.insert_before(product, [magnitude, axis, largest, step, quotient, rounded, again])
    product.replace_input_with(0, again.outputs[0])


@pytest.mark.parametrize("block", [(1, 1), (4, 1)], ids=str)
def test_results_are_those_of_rounded_matrices_and_tokens(dense_graph, block):
    original = dense_graph("bert")
    graphs.prune_graph(original, block)
    quantized = graphs.copy(original)
    optimization()(quantized)
    assert QuantizeSparseLinear()(quantized).modified
    for role in ("query", "key", "value", "attention_output", "intermediate", "output"):
        for index in (0, 1):
            name = graphs.layer_name("bert", role, index)
            graphs.edit(original, name, round_rows)
            round_tokens(original, name)
    # Two ways to the same number may round a token's value to neighbours.
    graphs.assert_same(quantized, original, tolerance=2e-3)


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
