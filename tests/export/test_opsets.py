"""Files of every opset become what the oldest promised onnxruntime loads, or are refused by name."""

import graphs
import numpy as np
import onnx
import onnx_ir as ir
import pytest

from kaprune_edge.export.attention import find_attentions
from kaprune_edge.export.from_file import load_onnx
from kaprune_edge.export.linear import find_linears
from kaprune_edge.export.onnx_file import check_onnx, write_onnx
from kaprune_edge.export.passes import optimization
from kaprune_runtime import InputError


@pytest.fixture
def source(dense_graph, tmp_path):
    """A pruned tiny BERT in a file of an opset, its attention as one node where asked for."""

    def make(opset, *, attention=False):
        model = graphs.copy(dense_graph("bert"))
        graphs.prune_graph(model)
        if attention:
            join_attention(model)
        model.opset_imports[""] = opset
        proto = ir.to_proto(model)
        onnx.checker.check_model(proto, full_check=True)
        onnx.save(proto, tmp_path / "source.onnx")
        return tmp_path / "source.onnx"

    return make


def join_attention(model):
    """Put ONNX's Attention, an operator since opset 23, in place of each layer's."""
    for attention in find_attentions(find_linears(model.graph)):
        heads = {"q_num_heads": attention.heads, "kv_num_heads": attention.heads, "scale": attention.scale}
        (term,) = attention.terms
        nothing = ir.node("Sub", [term, term])
        column = ir.node("Transpose", nothing.outputs, {"perm": [0, 1, 3, 2]})
        mask = ir.node("Add", [term, *column.outputs])
        values = [attention.query.y, attention.key.y, attention.value.y, *mask.outputs]
        nodes = [nothing, column, mask, ir.node("Attention", values, heads)]
        ir.convenience.replace_nodes_and_values(
            model.graph, attention.merge, attention.nodes, nodes, attention.merge.outputs, nodes[-1].outputs
        )
    assert len(graphs.nodes(model, "Attention")) == 2


@pytest.mark.parametrize(
    ("opset", "attention"),
    [(20, False), (21, False), (22, False), (23, False), (23, True), (24, True), (25, True)],
)
def test_the_oldest_onnxruntime_answers_as_the_source(source, run_on_oldest, tmp_path, opset, attention):
    model, reference = load_onnx(source(opset, attention=attention))
    assert not graphs.nodes(model, "Attention")
    optimization()(model)
    assert graphs.nodes(model, "SparseLinear") or graphs.nodes(model, "SparseFeedForward")
    write_onnx(model, tmp_path / "model.onnx")
    check_onnx(tmp_path / "model.onnx")
    for batch, length in ((1, 1), (3, 17)):
        feeds = graphs.token_feeds(batch, length)
        answer = run_on_oldest(tmp_path / "model.onnx", feeds)
        np.testing.assert_allclose(answer, reference(feeds), rtol=0, atol=1e-4)


def test_an_operator_without_a_definition_is_named(source):
    file = source(24)
    model = onnx.load(file)
    last = model.graph.node[-1]
    last.output[0] = "cache"
    write = onnx.helper.make_node("TensorScatter", ["cache", "cache"], ["logits"], axis=1)
    model.graph.node.append(write)
    onnx.save(model, file)
    with pytest.raises(InputError, match=r"opset 24 .*TensorScatter is newer.*export it with opset 20"):
        load_onnx(file)


def test_an_opset_that_is_not_known_yet_is_refused(source):
    file = source(20)
    model = onnx.load(file)
    model.opset_import[0].version = 99
    onnx.save(model, file)
    with pytest.raises(InputError, match="99"):
        load_onnx(file)


def test_unused_domains_and_other_names_of_the_standard_one_go(source):
    file = source(20)
    model = onnx.load(file)
    model.opset_import[0].domain = "ai.onnx"
    for domain in ("com.microsoft", "ai.onnx.ml", "ai.onnx.preview.training"):
        model.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    for node in model.graph.node:
        node.domain = "ai.onnx"
    onnx.save(model, file)
    changed, reference = load_onnx(file)
    assert dict(changed.opset_imports) == {"": 20}
    feeds = graphs.token_feeds()
    np.testing.assert_allclose(graphs.run(changed, feeds), reference(feeds), rtol=0, atol=1e-5)
