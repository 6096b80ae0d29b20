"""Tools of others on exported files: what they make of them answers as the file does."""

import graphs
import numpy as np
import onnx
import onnxruntime
import onnxsim
import onnxslim
import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.optimizer import optimize_model

from kaprune_edge.export import export_model


@pytest.fixture(scope="module", params=["dense", "sparse"])
def deployed(request, sparse_checkpoint, tmp_path_factory):
    """The file of a dense model's deployment, and of a sparse one's."""
    folder, _ = sparse_checkpoint(sparsity={"dense": 0.0, "sparse": 0.8}[request.param])
    return export_model(folder, tmp_path_factory.mktemp(request.param) / "deployment").folder / "model.onnx"


def logits(file):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    batches = [graphs.token_feeds(batch, length) for batch, length in ((1, 1), (3, 17), (2, 40))]
    return [session.run(["logits"], {name: feeds[name] % 50 for name in names})[0] for feeds in batches]


def assert_close(file, other, tolerance):
    for ours, theirs in zip(logits(file), logits(other), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=tolerance)


def test_no_shape_of_an_initializer_is_stated_twice(deployed):
    graph = onnx.load(deployed).graph
    constants = {tensor.name for tensor in graph.initializer}
    assert not constants & {value.name for value in graph.value_info}
    assert constants <= {name for node in graph.node for name in node.input}, "none is unused"


def test_stated_shapes_are_those_that_onnx_infers(deployed):
    onnx.shape_inference.infer_shapes(onnx.load(deployed), check_type=True, strict_mode=True, data_prop=True)


@pytest.mark.parametrize("per_channel", [False, True])
def test_quantize_dynamic(deployed, tmp_path, per_channel):
    quantize_dynamic(
        deployed,
        tmp_path / "int8.onnx",
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        reduce_range=True,
    )
    assert_close(deployed, tmp_path / "int8.onnx", 0.4)


def test_the_preprocessing_of_static_quantization(deployed, tmp_path):
    """Its shape inference takes our SparseAttention for one of com.microsoft, and is skipped then."""
    sparse = any(node.op_type == "SparseAttention" for node in onnx.load(deployed).graph.node)
    quant_pre_process(deployed, tmp_path / "prepared.onnx", skip_symbolic_shape=sparse)
    assert_close(deployed, tmp_path / "prepared.onnx", 1e-5)


def test_the_transformer_optimizer(deployed, tmp_path):
    optimized = optimize_model(str(deployed), model_type="bert", num_heads=4, hidden_size=32)
    optimized.save_model_to_file(str(tmp_path / "optimized.onnx"))
    assert_close(deployed, tmp_path / "optimized.onnx", 1e-4)


def test_onnxsim(deployed, tmp_path):
    simplified, checked = onnxsim.simplify(onnx.load(deployed))
    assert checked
    onnx.save(simplified, tmp_path / "simplified.onnx")
    assert_close(deployed, tmp_path / "simplified.onnx", 1e-5)


def test_onnxslim(deployed, tmp_path):
    onnx.save(onnxslim.slim(onnx.load(deployed)), tmp_path / "slim.onnx")
    assert_close(deployed, tmp_path / "slim.onnx", 1e-5)
