import graphs
import numpy as np
import onnx_ir as ir
import pytest

from kaprune_edge.export.blocks import fewest_bytes
from kaprune_edge.export.passes.remove_dead_neurons import RemoveDeadNeurons

X = np.random.default_rng(1).standard_normal((2, 5, 8), np.float32)


def feed_forward(activation="Gelu", *, entered=(), left=(), size=16):
    """Build two layers; nothing enters the neurons `entered`, nothing leaves the neurons `left`."""
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 8, size), np.float32)
    first[:, list(entered)] = 0
    second[:, list(left)] = 0
    return graphs.parse(
        f"""
        product = MatMul (x, first)
        hidden = Add (product, first_bias)
        active = {activation} (hidden)
        sum = MatMul (active, second)
        branch = Add (sum, second_bias)
        y = Add (branch, x)
        """,
        "(float[batch, length, 8] x) => (float[batch, length, 8] y)",
        first=first,
        first_bias=random.standard_normal(size, np.float32),
        second=second.T.copy(),
        second_bias=random.standard_normal(8, np.float32),
    )


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_neurons_that_nothing_enters_or_leaves_go(dense_graph, model_type):
    original, changed = dense_graph(model_type), dense_graph(model_type)
    first, second = (graphs.layer_name(model_type, role) for role in ("intermediate", "output"))
    for model in (original, changed):
        graphs.edit(model, first, lambda matrix: matrix.__setitem__(slice(0, 10), 0))
        graphs.edit(model, second, lambda matrix: matrix.__setitem__((slice(None), slice(40, 48)), 0))
    assert RemoveDeadNeurons()(changed).modified
    graphs.assert_same(changed, original)
    assert graphs.width(changed, first) == 48 - 10 - 8
    assert graphs.width(changed, graphs.layer_name(model_type, "intermediate", 1)) == 48


@pytest.mark.parametrize("activation", ["Gelu", 'Gelu <approximate: string = "tanh">', "Relu"])
def test_what_a_silent_neuron_gives_goes_into_the_bias(activation):
    original = feed_forward(activation, entered=(0, 5, 6), left=(6, 15))
    changed = feed_forward(activation, entered=(0, 5, 6), left=(6, 15))
    RemoveDeadNeurons()(changed)
    np.testing.assert_allclose(graphs.run(changed, {"x": X}), graphs.run(original, {"x": X}), atol=1e-5)
    assert graphs.nodes(changed, "MatMul")[0].inputs[1].shape == (8, 12)


def test_a_layer_without_a_living_neuron_becomes_a_constant():
    original, changed = (feed_forward(entered=range(9), left=range(9, 16)) for _ in range(2))
    RemoveDeadNeurons()(changed)
    np.testing.assert_allclose(graphs.run(changed, {"x": X}), graphs.run(original, {"x": X}), atol=1e-5)
    assert not any(node.inputs[0].name == "active" for node in graphs.nodes(changed, "MatMul"))


def test_blocks_of_weights_are_not_torn_apart():
    """Dead neurons one here, one there: to remove them would misalign every 4 x 1 block."""
    blocks = np.kron(np.random.default_rng(2).random((16, 8)) < 0.2, np.ones((4, 1))).astype(np.float32)
    model = feed_forward(left=range(1, 64, 8), size=64)
    model.graph.initializers["first"].const_value = ir.tensor(np.ascontiguousarray(blocks.T), name="first")
    unshrunk = fewest_bytes(np.where(np.arange(64)[:, None] % 8 == 1, 0, blocks))
    original = graphs.copy(model)
    RemoveDeadNeurons()(model)
    np.testing.assert_allclose(graphs.run(model, {"x": X}), graphs.run(original, {"x": X}), atol=1e-5)
    first = graphs.nodes(model, "MatMul")[0].inputs[1].const_value.numpy().T
    assert fewest_bytes(first) <= unshrunk


def test_other_activations_and_living_neurons_stay():
    assert not RemoveDeadNeurons()(feed_forward()).modified
    assert not RemoveDeadNeurons()(feed_forward("Tanh", entered=(1,))).modified
