"""Whatever a file says, loading it ends in an error or a session, never in a crash."""

import numpy as np
import pytest
from nodes import changed, linear_model, linear_parts, sparse_weight

BLOCK = 4, 1


def repeat_a_column(tensors):
    (row,) = np.flatnonzero(np.diff(tensors["crow_indices"]) > 1)[:1]
    first = tensors["crow_indices"][row]
    return changed(tensors["col_indices"], first + 1, tensors["col_indices"][first])


TENSORS = {
    "values of two dimensions": ("values", lambda t: t["values"][..., 0], "values does not have three"),
    "values of other blocks": ("values", lambda t: t["values"].reshape(-1, 2, 2), "values has shape"),
    "a value block too few": ("values", lambda t: t["values"][:-1], "col_indices has shape"),
    "values in float64": ("values", lambda t: t["values"].astype(np.float64), "neither float32 nor int8"),
    "values in int32": ("values", lambda t: t["values"].astype(np.int32), "neither float32 nor int8"),
    "starts of two dimensions": ("crow_indices", lambda t: t["crow_indices"][None], "crow_indices has shape"),
    "a start too few": ("crow_indices", lambda t: t["crow_indices"][:-1], "crow_indices has shape"),
    "a start too many": (
        "crow_indices",
        lambda t: np.append(t["crow_indices"], t["crow_indices"][-1:]),
        "has shape",
    ),
    "starts in int64": ("crow_indices", lambda t: t["crow_indices"].astype(np.int64), "int64"),
    "a first start above 0": ("crow_indices", lambda t: changed(t["crow_indices"], 0, 1), "begin with 0"),
    "a first start below 0": ("crow_indices", lambda t: changed(t["crow_indices"], 0, -1), "begin with 0"),
    "starts that descend": ("crow_indices", lambda t: changed(t["crow_indices"], 3, 0), "descends"),
    "a huge start": ("crow_indices", lambda t: changed(t["crow_indices"], 3, 2**31 - 1), "descends"),
    "a negative start": ("crow_indices", lambda t: changed(t["crow_indices"], 3, -(2**31)), "descends"),
    "a last start too high": (
        "crow_indices",
        lambda t: changed(t["crow_indices"], -1, 10**6),
        "does not end",
    ),
    "columns of two dimensions": ("col_indices", lambda t: t["col_indices"][None], "col_indices has shape"),
    "a column too few": ("col_indices", lambda t: t["col_indices"][:-1], "col_indices has shape"),
    "columns in int32": (
        "col_indices",
        lambda t: t["col_indices"].astype(np.int32),
        "neither uint16 nor uint32",
    ),
    "columns that descend": ("col_indices", lambda t: t["col_indices"][::-1].copy(), "does not ascend"),
    "a column twice": ("col_indices", repeat_a_column, "does not ascend"),
    "a column of billions": (
        "col_indices",
        lambda t: changed(t["col_indices"].astype(np.uint32), -1, 2**32 - 1),
        "beyond the 4194304 that are supported",
    ),
    "a bias too short": ("bias", lambda t: t["bias"][:-1], "bias has shape"),
    "a bias of two dimensions": ("bias", lambda t: t["bias"][None], "bias has shape"),
    "a bias in float16": ("bias", lambda t: t["bias"].astype(np.float16), "float16"),
}
ATTRIBUTES = {
    "no features": ({"out_features": 0}, "out_features is below 1"),
    "fewer than no features": ({"out_features": -8}, "out_features is below 1"),
    "huge features": ({"out_features": 2**62}, "has shape"),
    "as many features as can be counted": ({"out_features": 2**63 - 1, "blocksize": [1, 1]}, "has shape"),
    "features of another matrix": ({"out_features": 64}, "has shape"),
    "blocks that do not divide": ({"blocksize": [5, 1]}, "does not divide"),
    "blocks of no rows": ({"blocksize": [0, 1]}, "not two positive numbers"),
    "blocks of negative columns": ({"blocksize": [4, -1]}, "not two positive numbers"),
    "blocks of one dimension": ({"blocksize": [4]}, "not two positive numbers"),
    "huge blocks": ({"blocksize": [4, 2**62]}, "values has shape"),
    "an unknown activation": ({"activation": "swish"}, "activation 'swish' is unknown"),
    "features in words": ({"out_features": "many"}, "out_features"),
    "no block size": ({"blocksize": None}, "blocksize"),
}


@pytest.fixture
def parts():
    return linear_parts(sparse_weight(32, 16, BLOCK, 0.5), BLOCK)


def refused(load, model, message):
    with pytest.raises(Exception, match=message):
        load(model)


@pytest.mark.parametrize("kind", TENSORS)
def test_a_malformed_tensor_is_refused(load, parts, kind):
    name, spoil, message = TENSORS[kind]
    tensors, attributes = parts
    refused(load, linear_model({**tensors, name: spoil(tensors)}, attributes), message)


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_a_malformed_attribute_is_refused(load, parts, kind):
    changes, message = ATTRIBUTES[kind]
    tensors, attributes = parts
    merged = {name: value for name, value in {**attributes, **changes}.items() if value is not None}
    refused(load, linear_model(tensors, merged), message)


@pytest.mark.parametrize("name", ["values", "crow_indices", "col_indices", "bias"])
def test_a_computed_tensor_is_refused(load, parts, name):
    refused(load, linear_model(*parts, computed=[name]), f"{name} must be an initializer")


@pytest.mark.parametrize("name", ["values", "crow_indices", "col_indices", "bias"])
def test_a_missing_tensor_is_refused(load, parts, name):
    tensors, attributes = parts
    kept = {key: array for key, array in tensors.items() if key != name}
    refused(load, linear_model(kept, attributes), "input .* is marked single but has an empty string")


def test_float32_values_take_no_scales(load, parts):
    tensors, attributes = parts
    scales = np.ones(32, np.float32)
    refused(load, linear_model({**tensors, "scales": scales}, attributes), "takes no scales")


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        (None, "scales is missing"),
        (np.ones(31, np.float32), r"scales has shape \[31\]"),
        (np.ones(32, np.int32), "scales is not float32"),
        (np.ones((32, 2), np.float32), r"scales has shape \[32, 2\]"),
        (np.ones(33, np.float32), "scales has too few factors"),
    ],
)
def test_int8_values_need_a_scale_a_row(load, parts, scales, message):
    tensors, attributes = parts
    tensors["values"] = tensors["values"].astype(np.int8)
    if scales is not None:
        tensors["scales"] = scales
    refused(load, linear_model(tensors, attributes), message)


def test_other_features_than_factors_are_refused_when_they_come(load, parts):
    tensors, attributes = parts
    tensors |= {"values": tensors["values"].astype(np.int8), "scales": np.ones(32 + 17, np.float32)}
    session = load(linear_model(tensors, attributes))
    with pytest.raises(Exception, match="other than it has factors"):
        session.run(None, {"X": np.zeros((1, 16), np.float32)})


def test_columns_beyond_the_input_are_refused_when_it_comes(load, parts):
    tensors, attributes = parts
    last = tensors["crow_indices"][1] - 1
    tensors["col_indices"] = changed(tensors["col_indices"], last, 65535)
    session = load(linear_model(tensors, attributes))
    with pytest.raises(Exception, match="fewer features"):
        session.run(None, {"X": np.zeros((1, 16), np.float32)})
