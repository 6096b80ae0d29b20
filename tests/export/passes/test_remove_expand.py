import graphs
import numpy as np
import pytest

from kaprune_edge.export.passes.remove_expand import RemoveExpand

X = np.random.default_rng(0).standard_normal((2, 3, 4), np.float32)


def expanded(body, output="float[batch, 3, 4] y"):
    return graphs.parse(
        f"shape = Shape (x) wide = Expand (term, shape) {body}",
        f"(float[batch, 3, 4] x, float[1, 3, 4] term) => ({output}) <float[batch, 3, 4] wide>",
    )


def test_a_broadcast_before_a_sum_goes():
    model = expanded("y = Add (x, wide)")
    feeds = {"x": X, "term": X[:1]}
    before = graphs.run(model, feeds)
    assert RemoveExpand()(model).modified
    assert "Expand" not in graphs.op_types(model)
    np.testing.assert_array_equal(graphs.run(model, feeds), before)


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ("narrow = ReduceSum <keepdims: int = 1> (x) y = Add (narrow, wide)", "float[batch, 3, 4] y"),
        ("y = Add (wide, wide)", "float[batch, 3, 4] y"),
        ("y = Concat <axis: int = 0> (x, wide)", "float[rows, 3, 4] y"),
    ],
)
def test_a_broadcast_that_is_needed_stays(body, output):
    model = expanded(body, output)
    assert not RemoveExpand()(model).modified


def test_mpnets_position_bias_is_not_copied(dense_graph):
    original, changed = dense_graph("mpnet"), dense_graph("mpnet")
    assert RemoveExpand()(changed).modified
    graphs.assert_same(changed, original, tolerance=0)
