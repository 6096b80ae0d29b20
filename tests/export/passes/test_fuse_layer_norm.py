import graphs
import numpy as np
import pytest
import torch

from kaprune_edge.export.passes.fuse_layer_norm import FuseLayerNorm

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 5, 8), np.float32) * 3 + 1
CONSTANTS = {
    "scale": RANDOM.standard_normal(8, np.float32),
    "bias": RANDOM.standard_normal(8, np.float32),
    "two": np.float32(2),
    "epsilon": np.float32(1e-3),
}


def written_out(axis, **changes):
    return graphs.parse(
        """
        mean = ReduceMean (x, axes)
        centred = Sub (x, mean)
        square = Pow (centred, two)
        variance = ReduceMean (square, axes)
        shifted = Add (variance, epsilon)
        deviation = Sqrt (shifted)
        normal = Div (centred, deviation)
        scaled = Mul (normal, scale)
        y = Add (scaled, bias)
        """,
        "(float[batch, length, 8] x) => (float[batch, length, 8] y)",
        axes=np.array([axis]),
        **(CONSTANTS | changes),
    )


def test_it_becomes_one_node():
    model = written_out(-1)
    assert FuseLayerNorm()(model).modified
    assert graphs.op_types(model) == ["LayerNormalization"]
    parts = [torch.from_numpy(part) for part in (X, CONSTANTS["scale"], CONSTANTS["bias"])]
    reference = torch.nn.functional.layer_norm(parts[0], (8,), *parts[1:], 1e-3)
    np.testing.assert_allclose(graphs.run(model, {"x": X}), reference, atol=1e-6)


@pytest.mark.parametrize(
    "different",
    [written_out(1), written_out(-1, two=np.float32(3)), written_out(-1, scale=np.ones((5, 1), np.float32))],
    ids=["other axis", "other power", "scale per row"],
)
def test_other_formulas_stay(different):
    assert not FuseLayerNorm()(different).modified
