import graphs
import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes.common import ShapeInferencePass

from kaprune_edge.export.passes.fuse_sparse_attention import FuseSparseAttention
from kaprune_edge.export.passes.pack_sparse_linear import PackSparseLinear
from kaprune_edge.export.passes.remove_dead_heads import RemoveDeadHeads
from kaprune_edge.export.passes.remove_expand import RemoveExpand

optimize = ir.passes.Sequential(RemoveExpand(), RemoveDeadHeads(), PackSparseLinear(), FuseSparseAttention())


def whole_number(node, name):
    return node.attributes[name].as_int()


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_both_layers_become_one_node_each(dense_graph, model_type):
    original = dense_graph(model_type)
    graphs.prune_graph(original, (4, 1))
    changed = graphs.copy(original)
    optimize(changed)
    graphs.assert_same(changed, original)
    assert not graphs.nodes(changed, "Softmax")
    for node in graphs.nodes(changed, "SparseAttention"):
        assert (whole_number(node, "num_heads"), whole_number(node, "inner_features")) == (4, 32)
        assert node.attributes["scale"].as_float() == pytest.approx(8**-0.5)
        shapes = [list(value.shape) for value in node.inputs[1:3]]
        assert shapes[0][1:3] == [1, 1]
        assert shapes[1][:2] == ([1, 4] if model_type == "mpnet" else [1, 1])


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_heads_that_were_removed_are_in_no_matrix(dense_graph, model_type):
    original = dense_graph(model_type)
    graphs.prune_graph(original)
    name = graphs.layer_name(model_type, "value")
    graphs.edit(original, name, lambda matrix: matrix.__setitem__(slice(8, 16), 0))
    changed = graphs.copy(original)
    optimize(changed)
    graphs.assert_same(changed, original)
    first, second = graphs.nodes(changed, "SparseAttention")
    assert (whole_number(first, "num_heads"), whole_number(first, "inner_features")) == (3, 24)
    assert (whole_number(second, "num_heads"), whole_number(second, "inner_features")) == (4, 32)


def test_a_row_of_padding_alone_gives_numbers(dense_graph):
    original = dense_graph("bert")
    graphs.prune_graph(original)
    changed = graphs.copy(original)
    optimize(changed)
    feeds = graphs.token_feeds()
    feeds["attention_mask"][1] = 0
    result = graphs.run(changed, feeds)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result, graphs.run(original, feeds), atol=1e-5)


@pytest.mark.parametrize("role", ["query", "key", "value", "attention_output"])
def test_a_layer_with_a_dense_matrix_is_left_alone(dense_graph, role):
    original = dense_graph("bert")
    dense = graphs.copy(original)
    graphs.prune_graph(original)
    name = f"{graphs.layer_name('bert', role)}.weight.T"
    original.graph.initializers[name].const_value = dense.graph.initializers[name].const_value
    changed = graphs.copy(original)
    optimize(changed)
    graphs.assert_same(changed, original)
    assert len(graphs.nodes(changed, "SparseAttention")) == 1
    assert name in changed.graph.initializers


def test_a_mask_that_differs_by_query_is_left_alone(dense_graph):
    original = dense_graph("bert")
    graphs.prune_graph(original)
    optimized = graphs.copy(original)
    optimize(optimized)
    name = graphs.nodes(optimized, "SparseAttention")[0].inputs[1].name
    (mask,) = [node.outputs[0] for node in original.graph if node.outputs[0].name == name]
    uses = tuple(mask.uses())
    turned = ir.node("Transpose", [mask], {"perm": [0, 1, 3, 2]})
    square = ir.node("Max", [mask, turned.outputs[0]])
    original.graph.insert_after(mask.producer(), [turned, square])
    for node, index in uses:
        node.replace_input_with(index, square.outputs[0])
    ShapeInferencePass()(original)
    changed = graphs.copy(original)
    optimize(changed)
    assert not graphs.nodes(changed, "SparseAttention")
    graphs.assert_same(changed, original)
