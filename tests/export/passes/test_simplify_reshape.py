import graphs
import numpy as np
import onnx_ir as ir
import pytest

from kaprune_edge.export.passes.simplify_reshape import SimplifyReshape

X = np.random.default_rng(0).standard_normal((2, 3, 5, 4), np.float32)
SIGNATURE = "(float[b, 3, s, 4] x) => (float[k, l, m, n] y)"


def reshaped(body, *, middle, y, **shapes):
    """Build a graph whose symbolic shapes are known, as after inference."""
    model = graphs.parse(body, SIGNATURE, **{name: np.array(shape) for name, shape in shapes.items()})
    known = {
        "middle": middle,
        "turned": [middle[0], middle[2], middle[1]] if len(middle) == 3 else None,
        "last": y,
    }
    for node in model.graph:
        if (shape := known.get(node.outputs[0].name)) is not None:
            node.outputs[0].shape = ir.Shape(shape)
    return model


def transposed(middle=("3*b", "s", 4), y=("b", 3, 4, "s"), last=(2, 3, 4, 5), perm="[0, 2, 1]"):
    body = f"""
        middle = Reshape (x, first_shape)
        turned = Transpose <perm: ints = {perm}> (middle)
        last = Reshape (turned, last_shape)
        y = Relu (last)"""
    return reshaped(body, middle=middle, y=y, first_shape=[6, 5, 4], last_shape=last)


def test_a_transposition_by_way_of_three_dimensions_is_done_at_once():
    model = transposed()
    before = graphs.run(model, {"x": X})
    assert SimplifyReshape()(model).modified
    graphs.run(model, {"x": X})
    (last,) = graphs.nodes(model, "Relu")
    transpose = last.inputs[0].producer()
    assert (transpose.op_type, transpose.inputs[0].name) == ("Transpose", "x")
    np.testing.assert_array_equal(graphs.run(model, {"x": X}), before)


def test_a_reshape_to_the_same_shape_goes():
    model = reshaped(
        "last = Reshape (x, shape) y = Relu (last)", middle=(), y=("b", 3, "s", 4), shape=[0, 3, -1, 4]
    )
    assert SimplifyReshape()(model).modified
    assert graphs.op_types(model) == ["Relu"]


@pytest.mark.parametrize(
    "model",
    [
        transposed(y=("b", 4, 3, "s"), last=(2, 4, 3, 5)),
        transposed(y=(None, 3, 4, "s")),
        transposed(middle=("3*b", 4, "s")),
        transposed(perm="[0, 1, 2]"),
    ],
    ids=["other result", "unknown result", "other batches", "not transposed"],
)
def test_other_and_unknown_shapes_are_left_alone(model):
    assert not SimplifyReshape()(model).modified
