"""Model files whose weights are mapped into memory in place."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from kaprune_edge.export.onnx_file import write_onnx
from kaprune_runtime import session
from kaprune_runtime.onnx_file import ALIGNMENT, LEAST_BYTES, map_weights


@pytest.fixture
def model():
    random = np.random.default_rng(0)
    tables = {
        name: random.normal(size=(rows, 3)).astype(np.float32)
        for name, rows in {"small": 7, "odd": 101, "large": 100_003}.items()
    }
    nodes = [onnx.helper.make_node("Gather", [name, "ids"], [f"{name}_rows"]) for name in tables]
    nodes.append(onnx.helper.make_node("Sum", [f"{name}_rows" for name in tables], ["sum"]))
    graph = onnx.helper.make_graph(
        nodes,
        "tables",
        [onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["n"])],
        [onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.FLOAT, ["n", 3])],
        [onnx.numpy_helper.from_array(table, name) for name, table in tables.items()],
    )
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)


@pytest.fixture
def written(model, tmp_path):
    path = tmp_path / "model.onnx"
    write_onnx(ir.from_proto(model), path)
    return path


def test_the_file_is_plain_onnx_with_the_same_content(model, written):
    loaded = onnx.load(written)
    onnx.checker.check_model(loaded, full_check=True)
    for ours, theirs in zip(loaded.graph.initializer, model.graph.initializer, strict=True):
        assert ours.doc_string.strip() == ""
        ours.ClearField("doc_string")
        assert ours == theirs
    assert [node.op_type for node in loaded.graph.node] == [node.op_type for node in model.graph.node]


def test_larger_weights_are_aligned_and_mapped(written):
    content = written.read_bytes()
    mapped = onnx.load_from_string(map_weights(written))
    for tensor, whole in zip(mapped.graph.initializer, onnx.load(written).graph.initializer, strict=True):
        if len(whole.raw_data) < LEAST_BYTES:
            assert tensor.raw_data == whole.raw_data
            continue
        assert not tensor.raw_data
        place = {entry.key: entry.value for entry in tensor.external_data}
        offset, length = int(place["offset"]), int(place["length"])
        assert place["location"] == written.name
        assert offset % ALIGNMENT == 0
        assert content[offset : offset + length] == whole.raw_data


def test_a_session_of_mapped_weights_computes_the_same(written):
    feeds = {"ids": np.array([0, 3, 6])}
    plain = onnxruntime.InferenceSession(written).run(None, feeds)[0]
    np.testing.assert_array_equal(session(written).run(None, feeds)[0], plain)


def test_other_files_are_left_to_onnxruntime(model, written, tmp_path):
    other = tmp_path / "other.onnx"
    random = np.random.default_rng(0)
    contents = [
        model.SerializeToString(),
        written.read_bytes()[:-1000],
        b"",
        *(random.bytes(length) for length in range(1, 200)),
    ]
    for content in contents:
        other.write_bytes(content)
        assert map_weights(other) in (None, content)
