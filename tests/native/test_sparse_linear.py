import math
import threading

import numpy as np
import pytest
from nodes import linear_model, linear_parts, sparse_weight
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

erf = np.vectorize(math.erf, otypes=[np.float64])


def reference(x, weight, bias, activation):
    linear = x.astype(np.float64) @ weight.T.astype(np.float64) + bias
    return linear * 0.5 * (1 + erf(linear / 2**0.5)) if activation == "gelu" else linear


def draw(*shape):
    return np.random.default_rng(2).standard_normal(shape, np.float32)


def assert_close(actual, expected):
    assert actual.shape == expected.shape
    if expected.size:
        assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("activation", ["none", "gelu"])
@pytest.mark.parametrize(
    ("shape", "block"),
    [
        ((768, 768), (4, 1)),
        ((96, 64), (8, 1)),
        ((300, 700), (1, 1)),
        ((64, 32), (4, 4)),
        ((30, 50), (3, 5)),
        ((12, 33), (12, 1)),
        ((1, 1), (1, 1)),
    ],
    ids=str,
)
def test_results_are_those_of_a_float64_product(load, shape, block, activation):
    weight = sparse_weight(*shape, block)
    tensors, attributes = linear_parts(weight, block, activation)
    session = load(linear_model(tensors, attributes), threads=2)
    for leading in [(1,), (16,), (3, 5), (2, 77), (1, 128), (0, 4), ()]:
        x = draw(*leading, shape[1])
        assert_close(session.run(None, {"X": x})[0], reference(x, weight, tensors["bias"], activation))


def int8_parts(block):
    random = np.random.default_rng(3)
    integers = np.round(np.clip(sparse_weight(60, 60, block) * 30, -127, 127))
    scales = random.random(len(integers), np.float32) + np.float32(0.1)
    tensors, attributes = linear_parts(integers.astype(np.float32), block)
    tensors |= {"values": tensors["values"].astype(np.int8), "scales": scales}
    return tensors, attributes, integers * scales[:, None]


def rounded_tokens(x):
    largest = np.maximum(np.abs(x).max(axis=-1, keepdims=True), np.float32(1e-30))
    steps = np.float32(127)
    return np.rint(x * (steps / largest)).astype(np.float64) * (largest / steps)


@pytest.mark.parametrize("block", [(4, 1), (1, 1), (3, 5), (12, 1), (1, 4), (4, 4), (4, 3)], ids=str)
@pytest.mark.parametrize("tokens", [1, 8, 19, 128])
def test_int8_values_multiply_rounded_tokens(load, block, tokens):
    tensors, attributes, weight = int8_parts(block)
    x = draw(tokens, 60) * np.logspace(-3, 3, tokens, dtype=np.float32)[:, None]
    y = load(linear_model(tensors, attributes)).run(None, {"X": x})[0]
    assert_close(y, reference(rounded_tokens(x), weight, tensors["bias"], "none"))


@pytest.mark.parametrize("block", [(4, 1), (1, 1), (3, 5), (1, 4), (4, 4)], ids=str)
@pytest.mark.parametrize("tokens", [1, 19, 128])
def test_factors_multiply_what_is_rounded(load, block, tokens):
    tensors, attributes, weight = int8_parts(block)
    factors = 10 ** np.random.default_rng(4).uniform(-3, 3, 60).astype(np.float32)
    tensors["scales"] = np.concatenate([tensors["scales"], factors])
    x = draw(tokens, 60) / factors
    y = load(linear_model(tensors, attributes)).run(None, {"X": x})[0]
    assert_close(y, reference(rounded_tokens(x * factors), weight, tensors["bias"], "none"))


@pytest.mark.parametrize("block", [(4, 1), (1, 1), (1, 4)], ids=str)
def test_int8_values_and_features_beyond_the_matrix(load, block):
    tensors, attributes, weight = int8_parts(block)
    x = draw(19, 63)
    x[:, 62] *= 2  # they count in a token's largest magnitude
    y = load(linear_model(tensors, attributes)).run(None, {"X": x})[0]
    assert_close(y, reference(rounded_tokens(x)[:, :60], weight, tensors["bias"], "none"))


@pytest.mark.parametrize("block", [(4, 1), (1, 1), (1, 4)], ids=str)
def test_int8_values_and_a_token_of_zeros_or_not_a_number(load, block):
    tensors, attributes, weight = int8_parts(block)
    x = draw(5, 60)
    x[1], x[3, 7] = 0, np.nan
    y = load(linear_model(tensors, attributes)).run(None, {"X": x})[0]
    np.testing.assert_array_equal(y[1], tensors["bias"])
    assert np.isnan(y[3]).all()
    others = [0, 2, 4]
    assert_close(y[others], reference(rounded_tokens(x[others]), weight, tensors["bias"], "none"))


@pytest.mark.parametrize("block", [(4, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("in_int8", [False, True], ids=["float32", "int8"])
def test_a_matrix_of_zeros_gives_its_bias(load, block, in_int8):
    tensors, attributes = linear_parts(np.zeros((8, 6), np.float32), block)
    if in_int8:
        tensors |= {"values": tensors["values"].astype(np.int8), "scales": np.ones(8, np.float32)}
    y = load(linear_model(tensors, attributes)).run(None, {"X": draw(5, 6)})[0]
    np.testing.assert_array_equal(y, np.tile(tensors["bias"], (5, 1)))


def test_more_columns_than_16_bits_count(load):
    weight = np.zeros((4, 70000), np.float32)
    weight[1, 69999] = weight[2, 3] = 2
    tensors, attributes = linear_parts(weight, (4, 1))
    assert tensors["col_indices"].dtype == np.uint32
    x = draw(3, 70000)
    y = load(linear_model(tensors, attributes)).run(None, {"X": x})[0]
    assert_close(y, reference(x, weight, tensors["bias"], "none"))


@pytest.mark.parametrize("block", [(4, 1), (1, 1)], ids=str)
def test_not_a_number_reaches_its_own_token_alone(load, block):
    tensors, attributes = linear_parts(sparse_weight(32, 16, block, 0.0), block, "gelu")
    x = draw(40, 16)
    x[7, 3] = np.nan
    y = load(linear_model(tensors, attributes)).run(None, {"X": x})[0]
    assert np.isnan(y[7]).all()
    assert np.isfinite(np.delete(y, 7, axis=0)).all()


@pytest.mark.parametrize(
    "x", [np.zeros((2, 15), np.float32), np.zeros((), np.float32)], ids=["narrow", "scalar"]
)
def test_an_input_that_lacks_features_is_refused(load, x):
    session = load(linear_model(*linear_parts(sparse_weight(8, 16, (4, 1), 0.0), (4, 1))))
    with pytest.raises(InvalidArgument, match="fewer features"):
        session.run(None, {"X": x})


def test_one_session_serves_many_threads(load):
    weight = sparse_weight(64, 96, (4, 1))
    tensors, attributes = linear_parts(weight, (4, 1), "gelu")
    session = load(linear_model(tensors, attributes), threads=2)
    errors = []

    def serve(seed):
        random = np.random.default_rng(seed)
        for _ in range(30):
            x = random.standard_normal((random.integers(1, 70), 96), np.float32)
            y = session.run(None, {"X": x})[0]
            errors.append(np.abs(y - reference(x, weight, tensors["bias"], "gelu")).max())

    threads = [threading.Thread(target=serve, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 120
    assert max(errors) < 1e-4
