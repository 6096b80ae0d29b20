import graphs
import numpy as np
import onnx_ir as ir
import pytest

from kaprune_edge.export.passes.remove_dead_heads import RemoveDeadHeads

HEADS, SIZE = 4, 8


def rows(*heads):
    return np.concatenate([np.arange(head * SIZE, (head + 1) * SIZE) for head in heads])


def silence(model, model_type, *, entered=(), left=(), layer=0):
    """Cut heads off from their values, or the output from the heads."""
    if entered:
        name = graphs.layer_name(model_type, "value", layer)
        graphs.edit(model, name, lambda matrix: matrix.__setitem__(rows(*entered), 0))
    if left:
        name = graphs.layer_name(model_type, "attention_output", layer)
        graphs.edit(model, name, lambda matrix: matrix.__setitem__((slice(None), rows(*left)), 0))


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_heads_that_nothing_enters_or_leaves_go(dense_graph, model_type):
    original, changed = dense_graph(model_type), dense_graph(model_type)
    for model in (original, changed):
        silence(model, model_type, entered=(1,), left=(3,))
    assert RemoveDeadHeads()(changed).modified
    graphs.assert_same(changed, original)
    for role in ("query", "key", "value"):
        assert graphs.width(changed, graphs.layer_name(model_type, role)) == 2 * SIZE
        assert graphs.width(changed, graphs.layer_name(model_type, role, 1)) == HEADS * SIZE


@pytest.mark.parametrize("model_type", ["bert", "mpnet"])
def test_a_layer_without_a_living_head_becomes_a_constant(dense_graph, model_type):
    original, changed = dense_graph(model_type), dense_graph(model_type)
    for model in (original, changed):
        silence(model, model_type, entered=(0, 1), left=(2, 3))
    RemoveDeadHeads()(changed)
    graphs.assert_same(changed, original)
    names = {node.inputs[1].name for node in graphs.nodes(changed, "MatMul")}
    assert f"{graphs.layer_name(model_type, 'attention_output')}.weight.T" not in names
    assert f"{graphs.layer_name(model_type, 'attention_output', 1)}.weight.T" in names


def test_a_whole_graph_stays_as_it_is(dense_graph):
    changed = dense_graph("bert")
    assert not RemoveDeadHeads()(changed).modified
    assert graphs.op_types(changed) == graphs.op_types(dense_graph("bert"))


def test_a_matrix_that_is_read_twice_stays(dense_graph):
    original, changed = dense_graph("bert"), dense_graph("bert")
    for model in (original, changed):
        silence(model, "bert", entered=(1,))
        query, value = (graphs.layer_name("bert", role) for role in ("query", "value"))
        weights = model.graph.initializers
        weights[f"{query}.weight.T"].replace_all_uses_with(weights[f"{value}.weight.T"])
    assert not RemoveDeadHeads()(changed).modified
    graphs.assert_same(changed, original)


def guard(model):
    """Give zeros for NaN after every softmax, as PyTorch exports its fused attention."""
    zero = ir.val("zero", const_value=ir.tensor(np.float32(0), name="zero"))
    model.graph.register_initializer(zero)
    for softmax in graphs.nodes(model, "Softmax"):
        weights = softmax.outputs[0]
        (reader,) = weights.consumers()
        is_nan = ir.node("IsNaN", [weights])
        where = ir.node("Where", [is_nan.outputs[0], zero, weights])
        model.graph.insert_after(softmax, [is_nan, where])
        reader.replace_input_with(0, where.outputs[0])


def test_a_guarded_softmax_keeps_heads_whose_value_is_not_constant(dense_graph):
    """Where a position may attend to nothing, a head gives zeros there and its value's bias elsewhere."""
    original, changed = dense_graph("bert"), dense_graph("bert")
    for model in (original, changed):
        guard(model)
        silence(model, "bert", entered=(1,), left=(3,))
    RemoveDeadHeads()(changed)
    graphs.assert_same(changed, original)
    assert graphs.width(changed, graphs.layer_name("bert", "value")) == 3 * SIZE
