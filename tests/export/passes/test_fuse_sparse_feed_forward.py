import graphs
import onnx_ir as ir
import pytest

from kaprune_edge.export.passes.fuse_sparse_feed_forward import FuseSparseFeedForward
from kaprune_edge.export.passes.pack_sparse_linear import PackSparseLinear

pack_and_fuse = ir.passes.Sequential(PackSparseLinear(), FuseSparseFeedForward())


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_both_layers_become_one_node_each(dense_graph, model_type):
    original = dense_graph(model_type)
    graphs.prune_graph(original, (4, 1))
    changed = graphs.copy(original)
    pack_and_fuse(changed)
    graphs.assert_same(changed, original)
    first, second = graphs.nodes(changed, "SparseFeedForward")
    assert first.name == graphs.layer_name(model_type, "output")
    assert second.attributes["intermediate_features"].as_int() == 48
    assert tuple(second.attributes["output_blocksize"].as_ints()) == (4, 1)
    assert graphs.op_types(changed).count("SparseLinear") == 8


@pytest.mark.parametrize("role", ["intermediate", "output"])
def test_a_layer_with_a_dense_matrix_is_left_alone(dense_graph, role):
    original = dense_graph("bert")
    dense = graphs.copy(original)
    graphs.prune_graph(original)
    name = f"{graphs.layer_name('bert', role)}.weight.T"
    original.graph.initializers[name].const_value = dense.graph.initializers[name].const_value
    changed = graphs.copy(original)
    pack_and_fuse(changed)
    graphs.assert_same(changed, original)
    assert len(graphs.nodes(changed, "SparseFeedForward")) == 1
    assert name in changed.graph.initializers


def test_a_layer_whose_inside_is_read_is_left_alone(dense_graph):
    original = dense_graph("bert")
    graphs.prune_graph(original)
    PackSparseLinear()(original)
    changed = graphs.copy(original)
    inside = next(
        node.outputs[0]
        for node in graphs.nodes(changed, "SparseLinear")
        if node.attributes["activation"].value == "gelu"
    )
    changed.graph.outputs.append(inside)
    FuseSparseFeedForward()(changed)
    assert len(graphs.nodes(changed, "SparseFeedForward")) == 1
    graphs.assert_same(changed, original)


def test_without_pruned_layers_nothing_changes(dense_graph):
    model = dense_graph("bert")
    assert not FuseSparseFeedForward()(model).modified
    assert not model.functions
