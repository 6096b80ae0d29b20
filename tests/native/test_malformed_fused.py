"""What the fused operators check beyond their matrices; test_malformed.py has the kinds that all share."""

import numpy as np
import pytest
from nodes import attention_parts, changed, feed_forward_parts, node_model

BLOCK = 4, 1
FEATURES, INTERMEDIATE = 16, 32
HEADS, HEAD_SIZE = 3, 4
TOKENS = 5
SOUND = {
    "SparseFeedForward": feed_forward_parts(FEATURES, INTERMEDIATE, BLOCK),
    "SparseAttention": attention_parts(FEATURES, HEADS, HEAD_SIZE, BLOCK),
}
FEEDS = {
    "SparseFeedForward": {"X": np.ones((2, TOKENS, FEATURES), np.float32)},
    "SparseAttention": {
        "X": np.ones((2, TOKENS, FEATURES), np.float32),
        "mask": np.zeros((2, 1, 1, TOKENS), np.float32),
    },
}


def last_column(role, column):
    """Move the last block of the first block row that holds one to another column."""

    def spoil(tensors):
        starts = tensors[f"{role}crow_indices"]
        return changed(tensors[f"{role}col_indices"], starts[starts > 0][0] - 1, column)

    return spoil


def with_factors(op_type, **factors):
    """Make a sound node of int8 matrices; those of some roles have factors behind their scales."""
    tensors, attributes = SOUND[op_type]
    tensors = dict(tensors)
    for role in [name.removesuffix("values") for name in tensors if name.endswith("values")]:
        own = factors.get(role.removesuffix("_"), np.zeros(0, np.float32))
        scales = np.ones(len(tensors[f"{role}bias"]), np.float32)
        tensors[f"{role}values"] = tensors[f"{role}values"].astype(np.int8)
        tensors[f"{role}scales"] = np.concatenate([scales, own])
    return node_model(op_type, tensors, attributes)


NORM = {
    "a gamma too short": ("gamma", lambda t: t["gamma"][:-1], r"gamma is not float32 \[16\]"),
    "a gamma of two dimensions": ("gamma", lambda t: t["gamma"][None], "gamma is not float32"),
    "a gamma in float16": ("gamma", lambda t: t["gamma"].astype(np.float16), "float16"),
    "a beta too long": ("beta", lambda t: np.ones(17, np.float32), r"beta is not float32 \[16\]"),
    "a beta of one number": ("beta", lambda t: np.float32(1).reshape(()), "beta is not float32"),
}
EPSILON = {
    "no epsilon": ({"epsilon": None}, "epsilon"),
    "an epsilon below 0": ({"epsilon": -1e-5}, "epsilon is not a number of 0 or more"),
    "an infinite epsilon": ({"epsilon": float("inf")}, "epsilon is not a number of 0 or more"),
    "an epsilon that is no number": ({"epsilon": float("nan")}, "epsilon is not a number of 0 or more"),
}
TENSORS = {
    "SparseFeedForward": {
        **NORM,
        "an intermediate column beyond X": (
            "intermediate_col_indices",
            last_column("intermediate_", FEATURES),
            "intermediate_col_indices has a column beyond output_features",
        ),
        "an output column beyond the intermediate features": (
            "output_col_indices",
            last_column("output_", INTERMEDIATE),
            "output_col_indices has a column beyond intermediate_features",
        ),
        "an output bias of intermediate width": (
            "output_bias",
            lambda t: t["intermediate_bias"],
            "output_bias has shape",
        ),
        "starts of the other matrix": (
            "intermediate_crow_indices",
            lambda t: t["output_crow_indices"],
            "intermediate_crow_indices has shape",
        ),
    },
    "SparseAttention": {
        **NORM,
        "a query column beyond X": (
            "query_col_indices",
            last_column("query_", FEATURES),
            "col_indices has a column beyond output_features",
        ),
        "a key column beyond X": (
            "key_col_indices",
            last_column("key_", 60000),
            "col_indices has a column beyond output_features",
        ),
        "a value column beyond X": (
            "value_col_indices",
            last_column("value_", FEATURES),
            "col_indices has a column beyond output_features",
        ),
        "an output column beyond the heads": (
            "output_col_indices",
            last_column("output_", HEADS * HEAD_SIZE),
            "output_col_indices has a column beyond inner_features",
        ),
        "a key bias of another width": ("key_bias", lambda t: t["output_bias"], "key_bias has shape"),
        "starts of another matrix": (
            "value_crow_indices",
            lambda t: t["output_crow_indices"],
            "value_crow_indices has shape",
        ),
    },
}
ATTRIBUTES = {
    "SparseFeedForward": {
        **EPSILON,
        "an unknown activation": ({"activation": "relu"}, "activation 'relu' is unknown"),
        "no activation": ({"activation": None}, "activation"),
        "other intermediate features": ({"intermediate_features": 64}, "intermediate_.* has shape"),
        "other output features": ({"output_features": 32}, "output_.* has shape"),
        "no intermediate features": ({"intermediate_features": 0}, "intermediate_out_features is below 1"),
        "no output block size": ({"output_blocksize": None}, "output_blocksize"),
        "output blocks that do not divide": (
            {"output_blocksize": [5, 1]},
            "output_blocksize does not divide",
        ),
    },
    "SparseAttention": {
        **EPSILON,
        "no heads": ({"num_heads": 0}, "num_heads is below 1"),
        "fewer than no heads": ({"num_heads": -3}, "num_heads is below 1"),
        "heads that do not divide": ({"num_heads": 5}, "num_heads does not divide inner_features"),
        "more heads than features": ({"num_heads": 2**62}, "num_heads does not divide inner_features"),
        "heads without a number": ({"num_heads": None}, "num_heads"),
        "no scale": ({"scale": None}, "scale"),
        "a scale in words": ({"scale": "large"}, "scale"),
        "other inner features": ({"inner_features": 24}, "query_.* has shape"),
        "other output features": ({"output_features": 32}, "output_.* has shape"),
        "no value block size": ({"value_blocksize": None}, "value_blocksize"),
    },
}
RUNS = {
    "SparseFeedForward": {
        "a narrow X": ({"X": (2, TOKENS, FEATURES - 1)}, "X does not have output_features"),
        "a wide X": ({"X": (2, TOKENS, FEATURES + 1)}, "X does not have output_features"),
        "a scalar X": ({"X": ()}, "X does not have output_features"),
    },
    "SparseAttention": {
        "a narrow X": ({"X": (2, TOKENS, FEATURES - 4)}, "X does not have shape"),
        "an X without sequences": ({"X": (TOKENS, FEATURES)}, "X does not have shape"),
        "a mask of too few tokens": ({"mask": (2, 1, 1, TOKENS - 1)}, "mask does not have shape"),
        "a mask of too few sequences": ({"mask": (1, 1, 1, TOKENS)}, "mask does not have shape"),
        "a mask of each query": ({"mask": (2, 1, TOKENS, TOKENS)}, "mask does not have shape"),
        "a mask of each head": ({"mask": (2, HEADS, 1, TOKENS)}, "mask does not have shape"),
        "a mask of two dimensions": ({"mask": (2, TOKENS)}, "mask does not have shape"),
        "position bias of another length": (
            {"position_bias": (1, HEADS, TOKENS, TOKENS - 1)},
            "position_bias",
        ),
        "position bias of another head count": ({"position_bias": (1, 2, TOKENS, TOKENS)}, "position_bias"),
        "position bias of each sequence": ({"position_bias": (2, HEADS, TOKENS, TOKENS)}, "position_bias"),
    },
}


def kinds(table):
    return [
        pytest.param(op_type, kind, id=f"{op_type}: {kind}") for op_type in table for kind in table[op_type]
    ]


def refused(load, model, message):
    with pytest.raises(Exception, match=message):
        load(model)


@pytest.mark.parametrize("op_type", SOUND)
def test_the_sound_node_runs(load, op_type):
    y = load(node_model(op_type, *SOUND[op_type])).run(None, FEEDS[op_type])[0]
    assert y.shape == (2, TOKENS, FEATURES)
    assert np.isfinite(y).all()


@pytest.mark.parametrize(("op_type", "kind"), kinds(TENSORS))
def test_a_malformed_tensor_is_refused(load, op_type, kind):
    name, spoil, message = TENSORS[op_type][kind]
    tensors, attributes = SOUND[op_type]
    refused(load, node_model(op_type, {**tensors, name: spoil(tensors)}, attributes), message)


ONES, TWOS = np.ones(FEATURES, np.float32), np.full(FEATURES, 2, np.float32)
WIDE = np.ones(FEATURES + 1, np.float32)


@pytest.mark.parametrize(
    ("op_type", "factors", "message"),
    [
        (
            "SparseFeedForward",
            {"intermediate": WIDE},
            "beyond output_features, or _scales factors for others",
        ),
        (
            "SparseFeedForward",
            {"output": np.ones(INTERMEDIATE + 1, np.float32)},
            "_scales factors for others",
        ),
        ("SparseAttention", dict.fromkeys(("query", "key", "value"), WIDE), "_scales factors for others"),
        ("SparseAttention", {"output": WIDE}, "beyond inner_features, or _scales factors for others"),
        ("SparseAttention", {"query": ONES, "key": ONES, "value": TWOS}, "have different factors"),
        ("SparseAttention", {"key": ONES}, "have different factors"),
    ],
)
def test_factors_that_do_not_fit_are_refused(load, op_type, factors, message):
    refused(load, with_factors(op_type, **factors), message)


def test_factors_that_query_key_and_value_share_are_taken(load):
    shared = dict.fromkeys(("query", "key", "value"), TWOS)
    y = load(with_factors("SparseAttention", **shared)).run(None, FEEDS["SparseAttention"])[0]
    assert np.isfinite(y).all()


@pytest.mark.parametrize(("op_type", "kind"), kinds(ATTRIBUTES))
def test_a_malformed_attribute_is_refused(load, op_type, kind):
    changes, message = ATTRIBUTES[op_type][kind]
    tensors, attributes = SOUND[op_type]
    merged = {name: value for name, value in {**attributes, **changes}.items() if value is not None}
    refused(load, node_model(op_type, tensors, merged), message)


@pytest.mark.parametrize("op_type", SOUND)
@pytest.mark.parametrize("name", ["gamma", "beta", "output_values"])
def test_a_computed_or_missing_tensor_is_refused(load, op_type, name):
    tensors, attributes = SOUND[op_type]
    refused(load, node_model(op_type, tensors, attributes, computed=[name]), f"{name} must be an initializer")
    kept = {key: array for key, array in tensors.items() if key != name}
    refused(load, node_model(op_type, kept, attributes), "marked single but has an empty string")


@pytest.mark.parametrize(("op_type", "kind"), kinds(RUNS))
def test_a_run_that_does_not_fit_is_refused_and_the_session_lives(load, op_type, kind):
    shapes, message = RUNS[op_type][kind]
    tensors, attributes = SOUND[op_type]
    if "position_bias" in shapes:
        tensors = {name: array for name, array in tensors.items() if name != "position_bias"}
    session = load(node_model(op_type, tensors, attributes))
    feeds = dict(FEEDS[op_type])
    if "position_bias" in shapes:
        feeds["position_bias"] = np.zeros((1, HEADS, TOKENS, TOKENS), np.float32)
    spoilt = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    with pytest.raises(Exception, match=message):
        session.run(None, {**feeds, **spoilt})
    assert np.isfinite(session.run(None, feeds)[0]).all()
