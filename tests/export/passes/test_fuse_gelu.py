import math

import graphs
import numpy as np
import pytest
import torch

from kaprune_edge.export.passes.fuse_gelu import FuseGelu

X = np.linspace(-6, 6, 101, dtype=np.float32)
SCALARS = {
    "root": np.float32(math.sqrt(2)),
    "one": np.float32(1),
    "half": np.float32(0.5),
    "other": np.float32(0.7),
}
ERF = "scaled = Div (x, root) erf = Erf (scaled) sum = Add (erf, one)"


def written_out(body):
    return graphs.parse(body, "(float[n] x) => (float[n] y)", **SCALARS)


@pytest.mark.parametrize(
    "body",
    [
        f"{ERF} halved = Mul (x, half) y = Mul (halved, sum)",
        f"{ERF} product = Mul (x, sum) y = Mul (product, half)",
        f"{ERF} halved = Mul (half, sum) y = Mul (halved, x)",
    ],
)
def test_every_order_becomes_one_node(body):
    model = written_out(body)
    assert FuseGelu()(model).modified
    assert graphs.op_types(model) == ["Gelu"]
    reference = torch.nn.functional.gelu(torch.from_numpy(X))
    np.testing.assert_allclose(graphs.run(model, {"x": X}), reference, atol=1e-6)


def test_other_factors_stay():
    model = written_out(f"{ERF} halved = Mul (x, other) y = Mul (halved, sum)")
    assert not FuseGelu()(model).modified
