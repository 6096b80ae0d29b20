"""The library gives what the operators' ONNX definitions give, for numbers of every kind."""

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from nodes import attention_parts, feed_forward_parts, linear_parts, node_model, sparse_weight

from kaprune_edge.export import sparse_attention, sparse_feed_forward, sparse_linear

FEATURES, HEADS, HEAD_SIZE = 16, 2, 8
LOWEST, HIGHEST = np.finfo(np.float32).min, np.finfo(np.float32).max
FUSED = {"SparseAttention": sparse_attention.BODY, "SparseFeedForward": sparse_feed_forward.BODY}


def in_int8(tensors):
    """Round every matrix to integers."""
    rounded = dict(tensors)
    for name in tensors:
        if name.endswith("values"):
            role = name.removesuffix("values")
            rounded[name] = np.clip(np.rint(tensors[name] * 40), -127, 127).astype(np.int8)
            rounded[f"{role}scales"] = np.full(len(tensors[f"{role}bias"]), 1 / 40, np.float32)
    return rounded


def by_definition(op_type, tensors, attributes, feeds, integers):
    """Run a node's definition on ONNX Runtime alone."""
    model = onnx.ModelProto.FromString(node_model(op_type, tensors, attributes))
    bodies = [sparse_linear.INT8_BODY if integers else sparse_linear.BODY, FUSED.get(op_type)]
    model.functions.extend(onnx.parser.parse_function(body) for body in bodies if body)
    for value in model.graph.input:
        shape = value.type.tensor_type.shape
        shape.CopyFrom(onnx.TensorShapeProto())
        for size in feeds[value.name].shape:
            shape.dim.add().dim_value = size
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)[0]


def compare(load, op_type, parts, feeds, *, integers=False):
    tensors, attributes = parts
    tensors = in_int8(tensors) if integers else tensors
    actual = load(node_model(op_type, tensors, attributes)).run(None, feeds)[0]
    expected = by_definition(op_type, tensors, attributes, feeds, integers)
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(actual[finite], expected[finite], rtol=0, atol=3e-5)
    return finite


def attention(load, masks, *, bias=None, x=None, integers=False, block=(4, 1)):
    """Compare one node for a batch of masks; tells which outputs are finite."""
    masks = np.asarray(masks, np.float32)
    random = np.random.default_rng(0)
    if x is None:
        x = random.standard_normal((*masks.shape, FEATURES), np.float32)
    tensors, attributes = attention_parts(FEATURES, HEADS, HEAD_SIZE, block)
    feeds = {"X": x, "mask": masks[:, None, None]}
    if bias is not None:
        tensors = {name: array for name, array in tensors.items() if name != "position_bias"}
        feeds["position_bias"] = bias
    return compare(load, "SparseAttention", (tensors, attributes), feeds, integers=integers)


def bias_of(tokens):
    return np.random.default_rng(1).standard_normal((1, HEADS, tokens, tokens), np.float32)


MASKS = {
    "tokens alone": lambda key: key * 0.0,
    "padding": lambda key: np.where(key % 3 == 0, LOWEST, 0),
    "nothing but padding": lambda key: key * 0.0 + LOWEST,
    "minus infinity": lambda key: np.where(key % 3 == 0, -np.inf, 0),
    "minus infinity first": lambda key: np.where(key < key.size / 2, -np.inf, 0),
    "nothing but minus infinity": lambda key: key * 0.0 - np.inf,
    "lowest beside minus infinity": lambda key: np.where(key % 2 == 0, LOWEST, -np.inf),
    "lowest, then minus infinity": lambda key: np.where(key < key.size / 2, LOWEST, -np.inf),
    "minus infinity, then lowest": lambda key: np.where(key < key.size / 2, -np.inf, LOWEST),
    "half of the lowest": lambda key: np.where(key % 2 == 0, LOWEST, LOWEST / 2),
    "numbers above 0": lambda key: key % 5,
    "the highest": lambda key: np.where(key == 1, HIGHEST, 0),
    "-1e9 everywhere": lambda key: key * 0.0 - 1e9,
    "infinity": lambda key: np.where(key == 1, np.inf, 0),
    "NaN": lambda key: np.where(key == 1, np.nan, 0),
    "NaN at the end": lambda key: np.where(key == key.size - 1, np.nan, LOWEST),
}


@pytest.mark.parametrize("tokens", [7, 300])  # keys come in blocks of at most 128
@pytest.mark.parametrize("biased", [False, True], ids=["plain", "biased"])
def test_every_mask(load, tokens, biased):
    masks = [make(np.arange(tokens)) for make in MASKS.values()]
    finite = attention(load, masks, bias=bias_of(tokens) if biased else None)
    rows = dict(zip(MASKS, finite.all(axis=(1, 2)), strict=True))
    assert {name for name, row in rows.items() if not row} == {
        *("nothing but minus infinity", "infinity", "NaN", "NaN at the end")
    }


def test_drawn_masks_and_biases(load):
    random = np.random.default_rng(2)
    numbers = np.array([0, 0, 0, LOWEST, LOWEST, -np.inf, -np.inf, 2, -3, -1e9, LOWEST / 4], np.float32)
    rare = np.array([np.nan, np.inf, HIGHEST], np.float32)
    for tokens in (1, 5, 150):
        masks = random.choice(numbers, (12, tokens))
        masks[8:, random.integers(tokens)] = random.choice(rare, 4)
        attention(load, masks)
        bias = bias_of(tokens)
        odd = random.random(bias.shape) < 0.02
        bias[odd] = random.choice([*numbers, *rare], odd.sum())
        attention(load, masks, bias=bias)


NOT_FINITE = [np.nan, -np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("block", [(4, 1), (1, 1)], ids=str)
def test_attention_of_tokens_that_are_not_finite(load, integers, block):
    for feature in range(FEATURES):
        x = np.random.default_rng(feature).standard_normal((len(NOT_FINITE) + 1, 6, FEATURES), np.float32)
        x[:-1, 2, feature] = NOT_FINITE
        masks = np.zeros(x.shape[:2])
        masks[:, 2:] = LOWEST  # padding is no excuse
        finite = attention(load, masks, x=x, integers=integers, block=block)
        assert finite[-1].all()
        assert not finite[:-1].any()


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("block", [(4, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("op_type", ["SparseLinear", "SparseFeedForward"])
def test_products_of_tokens_that_are_not_finite(load, op_type, block, integers):
    weight = sparse_weight(32, FEATURES, block)
    weight[:, -1] = 0  # a feature that no weight reads
    weight[:4] = 0  # and outputs that read none
    parts = {
        "SparseLinear": linear_parts(weight, block, "gelu"),
        "SparseFeedForward": feed_forward_parts(FEATURES, 32, block),
    }[op_type]
    for feature in range(FEATURES):
        x = np.random.default_rng(feature).standard_normal((len(NOT_FINITE) + 1, FEATURES), np.float32)
        x[:-1, feature] = NOT_FINITE
        finite = compare(load, op_type, parts, {"X": x}, integers=integers)
        assert finite[-1].all()
        assert not finite[:-1].any()


def test_a_position_bias_of_one_number_is_0_or_the_only_one(load):
    tensors, attributes = attention_parts(FEATURES, HEADS, HEAD_SIZE, (4, 1))
    tensors["position_bias"] = np.full((1, 1, 1, 1), 2, np.float32)
    feeds = {"X": np.ones((1, 3, FEATURES), np.float32), "mask": np.zeros((1, 1, 1, 3), np.float32)}
    with pytest.raises(Exception, match="position_bias is one number for all, but not 0"):
        load(node_model("SparseAttention", tensors, attributes)).run(None, feeds)
    one_head = attention_parts(FEATURES, 1, HEAD_SIZE, (4, 1))
    one_head[0]["position_bias"] = tensors["position_bias"]
    one_token = {"X": feeds["X"][:, :1], "mask": feeds["mask"][..., :1]}
    compare(load, "SparseAttention", one_head, one_token)
