"""ONNX files as exporters and people leave them: loaded rightly, or refused with what is wrong."""

import graphs
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from kaprune_edge.export.from_file import load_onnx
from kaprune_runtime import InputError
from kaprune_runtime.kinds import QUESTIONS, TOKENS


@pytest.fixture(scope="module")
def model(dense_graph):
    """A dense tiny BERT as protocol buffers; a test changes a copy."""
    return ir.to_proto(dense_graph("bert"))


@pytest.fixture
def file(model, tmp_path):
    """Save a changed copy."""

    def save(change=lambda copy: None, **options):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        change(copy)
        onnx.save(copy, tmp_path / "model.onnx", **options)
        return tmp_path / "model.onnx"

    return save


def rename(model, old, new):
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name


def weight(model, name="classifier.weight"):
    return next(tensor for tensor in model.graph.initializer if tensor.name.startswith(name))


def list_initializers_as_inputs(model):
    for tensor in model.graph.initializer:
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.insert(0, value)


def narrow_inputs(model):
    """int32 inputs, widened at once."""
    for value in model.graph.input:
        wide = f"{value.name}_64"
        for node in model.graph.node:
            node.input[:] = [wide if name == value.name else name for name in node.input]
        model.graph.node.insert(0, helper.make_node("Cast", [value.name], [wide], to=TensorProto.INT64))
        value.type.tensor_type.elem_type = TensorProto.INT32


def add_hidden_state(model):
    name = next(node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization")
    model.graph.output.insert(0, helper.make_tensor_value_info(name, 1, ["batch", "length", 32]))


def reverse_inputs(model):
    inputs = list(model.graph.input)[::-1]
    del model.graph.input[:]
    model.graph.input.extend(inputs)


def make_sparse(model):
    tensor = weight(model)
    content = numpy_helper.to_array(tensor)
    places = np.argwhere(content).astype(np.int64)
    values = numpy_helper.from_array(content[tuple(places.T)], tensor.name)
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(places, "places"), tensor.dims)
    model.graph.initializer.remove(tensor)
    model.graph.sparse_initializer.append(sparse)


def use_a_function(model):
    """Gelu in a function of the exporter's own domain."""
    for node in model.graph.node:
        if node.op_type == "Gelu":
            node.domain, node.op_type = "exporter", "activation"
    body = [helper.make_node("Gelu", ["x"], ["y"])]
    opsets = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("exporter", "activation", ["x"], ["y"], body, opsets))
    model.opset_import.append(helper.make_opsetid("exporter", 1))


def use_the_outputs_name_inside(model):
    rename(model, "logits", "scores")
    rename(model, model.graph.node[0].output[0], "logits")


def document(model):
    model.doc_string = model.graph.doc_string = "x" * 10**6
    for node in model.graph.node:
        node.doc_string = "y" * 1000
    model.training_info.add()


@pytest.mark.parametrize(
    "change",
    [
        list_initializers_as_inputs,
        narrow_inputs,
        add_hidden_state,
        reverse_inputs,
        make_sparse,
        use_a_function,
        use_the_outputs_name_inside,
        document,
        lambda model: rename(model, "logits", "output_0"),
    ],
)
def test_a_file_in_another_form_answers_the_same(model, file, change):
    loaded, reference = load_onnx(file(change))
    assert [value.name for value in loaded.graph.outputs] == ["logits"]
    assert {value.dtype for value in loaded.graph.inputs} == {ir.DataType.INT64}
    assert {value.name for value in loaded.graph.inputs} == {"input_ids", "attention_mask", "token_type_ids"}
    feeds = graphs.token_feeds()
    expected = graphs.run(ir.from_proto(model), feeds)
    np.testing.assert_allclose(graphs.run(loaded, feeds), expected, rtol=0, atol=1e-5)
    if change is not make_sparse:
        np.testing.assert_allclose(reference(feeds), expected, rtol=0, atol=1e-5)


def test_start_and_end_are_told_apart_by_name(file):
    """The file gives the end first, and hidden states before both."""

    def change(model):
        add_hidden_state(model)
        hidden = model.graph.output[0].name
        del model.graph.output[1:]
        for index, name in enumerate(("end_logits", "start_logits")):
            model.graph.initializer.append(numpy_helper.from_array(np.array(index), f"place_{index}"))
            model.graph.node.append(helper.make_node("Gather", [hidden, f"place_{index}"], [name], axis=2))
            model.graph.output.append(helper.make_tensor_value_info(name, 1, ["batch", "length"]))

    loaded, reference = load_onnx(file(change), QUESTIONS)
    assert [value.name for value in loaded.graph.outputs] == ["start_logits", "end_logits"]
    feeds = graphs.token_feeds()
    np.testing.assert_allclose(graphs.run(loaded, feeds), reference(feeds)[..., 0], rtol=0, atol=1e-5)


def add_positions(model):
    model.graph.input.append(helper.make_tensor_value_info("position_ids", TensorProto.INT64, ["b", "s"]))


def give_probabilities(model):
    rename(model, "logits", "raw")
    model.graph.output[0].name = "logits"
    model.graph.node.append(helper.make_node("Softmax", ["raw"], ["logits"]))


def take_floats(model):
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.FLOAT


def give_two(model):
    rename(model, "logits", "first")
    model.graph.node.append(helper.make_node("Neg", ["first"], ["second"]))
    model.graph.output.append(helper.make_tensor_value_info("second", 1, ["batch", 2]))


def repeat_a_name(model):
    model.graph.node[-1].output[0] = model.graph.node[-2].output[0]


def spoil(value):
    def change(model):
        tensor = weight(model)
        content = numpy_helper.to_array(tensor).copy()
        content.flat[3] = value
        tensor.CopyFrom(numpy_helper.from_array(content, tensor.name))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_positions, "takes position_ids; export it without"),
        (give_probabilities, r"gives probabilities \(Softmax\)"),
        (take_floats, "in float; export it with int64"),
        (give_two, r"gives first \[.*\], second \[.*\]; it does not have one output `logits`"),
        (repeat_a_name, "is not valid ONNX"),
        (spoil(np.nan), r"classifier\.weight.* of model\.onnx has 1 weights that are not finite"),
        (spoil(-np.inf), r"classifier\.weight.* not finite"),
        (lambda model: setattr(model, "ir_version", 99), "has IR version 99, and onnx .* reads up to"),
    ],
)
def test_what_cannot_be_taken_is_named(file, change, message):
    path = file(change)
    with pytest.raises(InputError, match=message) as raised:
        load_onnx(path)
    assert str(path) in str(raised.value) or "model.onnx" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_text_classifier_is_no_tagger(file):
    with pytest.raises(InputError, match=r"gives logits \[.*\]; it does not have .*token classifier"):
        load_onnx(file(), TOKENS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git-lfs pointer"),
        (b"<!DOCTYPE html><html></html>", "no ONNX file"),
        (b"\x08\x07", "no ONNX file"),
    ],
)
def test_other_contents_are_named(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_onnx(path)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        load_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.unlink(), "lacks its external data model.onnx_data"),
        (lambda data: data.write_bytes(data.read_bytes()[:-9]), "model.onnx_data of .* is cut short"),
    ],
)
def test_external_data_that_is_missing_or_cut_is_named(file, tmp_path, damage, message):
    path = file(save_as_external_data=True, location="model.onnx_data", size_threshold=64)
    damage(tmp_path / "model.onnx_data")
    with pytest.raises(InputError, match=message):
        load_onnx(path)
