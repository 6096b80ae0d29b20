"""Movement beside a plain NumPy training with masked weights that keep their values."""

import numpy as np
import pytest
import torch
from torch import nn

from kaprune_edge.pruning.movement import Movement
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.pruning.soft_movement import LEARNING_RATE, REGULARIZATION, SoftMovement, common_threshold
from kaprune_edge.sparsity.patterns import Blocks, NofM

RATE, STEPS, REDRAW, SHARE = 0.05, 12, 3, 0.5


def regression():
    """Two layers' weights, inputs, and outputs of other weights."""
    random = np.random.default_rng(0)
    weights = [random.normal(size=(8, 12)), random.normal(size=(4, 12))]
    x = random.normal(size=(40, 12))
    return weights, x, [x @ random.normal(size=weight.shape).T for weight in weights]


def train(criterion, pattern, steps=range(STEPS), matrices=None, pruner=None):
    weights, x, outputs = regression()
    if matrices is None:
        matrices = {str(index): nn.Parameter(torch.from_numpy(each)) for index, each in enumerate(weights)}
        pruner = Pruner(matrices, pattern)
    optimizer = torch.optim.SGD(matrices.values(), RATE)
    for step in steps:
        if step % REDRAW == 0:
            pruner.prune(dict.fromkeys(matrices, SHARE), criterion)
        optimizer.zero_grad()
        for weight, y in zip(matrices.values(), outputs, strict=True):
            (torch.from_numpy(x) @ weight.T - torch.from_numpy(y)).square().mean().backward()
        criterion.observe(matrices)
        optimizer.step()
        pruner.apply()
    return matrices, pruner


def simulate(pattern, learn, choose):
    """Keep whole weights beside the masks; `learn` steps the scores, `choose` draws the masks."""
    weights, x, outputs = regression()
    scores = [np.abs(weight) for weight in weights]
    for step in range(STEPS):
        if step % REDRAW == 0:
            masks = choose(pattern, scores)
        if step == 0:
            scores = [np.zeros_like(weight) for weight in weights]
        gradients = [
            2 * (x @ (weight * mask).T - y).T @ x / y.size
            for weight, mask, y in zip(weights, masks, outputs, strict=True)
        ]
        learn(step + 1, scores, [g * w for g, w in zip(gradients, weights, strict=True)])
        weights = [w - RATE * g * mask for w, g, mask in zip(weights, gradients, masks, strict=True)]
    return [weight * mask for weight, mask in zip(weights, masks, strict=True)]


def each_alone(pattern, scores):
    return [pattern.mask(torch.from_numpy(score), SHARE).numpy() for score in scores]


def all_together(pattern, scores):
    """Rank the blocks of both matrices together."""
    sums = [
        score.reshape(len(score) // pattern.rows, pattern.rows, -1, pattern.columns).sum((1, 3))
        for score in scores
    ]
    ranked = np.sort(np.concatenate([each.flatten() for each in sums]))
    least = ranked[round(SHARE * len(ranked))]
    return [np.kron(each >= least, np.ones((pattern.rows, pattern.columns))) for each in sums]


@pytest.mark.parametrize("pattern", [Blocks(), Blocks(4, 1), NofM(2, 4)])
def test_movement_is_the_straight_through_training_of_masked_weights(pattern):
    def learn(_, scores, movements):
        for score, movement in zip(scores, movements, strict=True):
            score -= movement

    matrices, _ = train(Movement(), pattern)
    expected = simulate(pattern, learn, each_alone)
    for weight, other in zip(matrices.values(), expected, strict=True):
        np.testing.assert_allclose(weight.detach(), other, atol=1e-12)


@pytest.mark.parametrize("pattern", [Blocks(), Blocks(4, 1)])
def test_soft_movement_steps_scores_by_adam_and_cuts_them_at_one_threshold(pattern):
    first, second = {}, {}

    def learn(step, scores, movements):
        total = sum(score.size for score in scores)
        for index, (score, movement) in enumerate(zip(scores, movements, strict=True)):
            sigmoid = 1 / (1 + np.exp(-score))
            gradient = movement + REGULARIZATION / total * sigmoid * (1 - sigmoid)
            first[index] = 0.9 * first.get(index, 0) + 0.1 * gradient
            second[index] = 0.999 * second.get(index, 0) + 0.001 * gradient**2
            mean, square = first[index] / (1 - 0.9**step), second[index] / (1 - 0.999**step)
            score -= LEARNING_RATE * mean / (np.sqrt(square) + 1e-8)

    matrices, pruner = train(SoftMovement(), pattern)
    expected = simulate(pattern, learn, all_together)
    for weight, other in zip(matrices.values(), expected, strict=True):
        np.testing.assert_allclose(weight.detach(), other, atol=1e-9)
    assert pruner.sparsity == pytest.approx(SHARE)
    shares = [(weight == 0).float().mean() for weight in matrices.values()]
    assert shares[0] != shares[1]


def test_a_removed_weight_comes_back_with_its_value():
    weight = nn.Parameter(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    matrices, movement = {"only": weight}, Movement()
    pruner = Pruner(matrices, Blocks())
    pruner.prune({"only": 0.5}, movement)
    assert weight.tolist() == [[0, 0, 3, 4]]
    weight.grad = torch.tensor([[-9.0, 1.0, 1.0, -1.0]])
    movement.observe(matrices)
    pruner.prune({"only": 0.5}, movement)
    assert weight.tolist() == [[1, 0, 0, 4]]


@pytest.mark.parametrize("make", [Movement, SoftMovement])
def test_an_interruption_changes_nothing(make):
    whole, _ = train(make(), Blocks(4, 1))
    begun = make()
    matrices, pruner = train(begun, Blocks(4, 1), range(7))
    resumed = make()
    resumed.load(begun.state())
    train(resumed, Blocks(4, 1), range(7, STEPS), matrices, pruner)
    for name, weight in whole.items():
        assert torch.equal(weight, matrices[name])


def test_a_common_threshold_leaves_every_matrix_something():
    scores = {"high": torch.full((4, 4), 2.0), "low": torch.rand(4, 4)}
    shares = common_threshold(scores, Blocks(), {"high": 0.5, "low": 0.5})
    assert shares == {"high": 0, "low": 15 / 16}
