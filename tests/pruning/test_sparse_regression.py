"""The sparse fit beside least squares solved by NumPy, for one mask and for every mask there is."""

from itertools import combinations

import numpy as np
import pytest
import torch

from kaprune_edge.pruning.sparse_regression import fit_sparse
from kaprune_edge.sparsity.patterns import Blocks, NofM

DAMPING = 0.01


def problem(seed, outputs=1, inputs=8, samples=60):
    """Correlated inputs of unlike means and scales, and outputs of a dense layer of them with noise."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(samples, inputs)) @ generator.normal(size=(inputs, inputs))
    x = x * np.geomspace(0.1, 10, inputs) + generator.normal(size=inputs)
    weight = generator.normal(size=(outputs, inputs)) / np.geomspace(0.1, 10, inputs)
    y = x @ weight.T + 3 + generator.normal(size=(samples, outputs))
    return x, y, weight


def loss(x, y, weight, fitted, bias):
    error = np.square(x @ fitted.T + bias - y).mean(axis=0)
    return (error + DAMPING * (np.square(fitted - weight) * x.var(axis=0)).sum(axis=1)).sum()


def least_squares(x, y, weight, mask):
    """Solve each output on its own inputs, as a stacked system."""
    fitted, bias = np.zeros_like(weight), np.zeros(len(weight))
    for row, kept in enumerate(mask):
        near = np.sqrt(len(x) * DAMPING) * np.diag(x.std(axis=0))[kept]
        left = np.block([[x[:, kept], np.ones((len(x), 1))], [near[:, kept], np.zeros((kept.sum(), 1))]])
        right = np.concatenate([y[:, row], near[:, kept] @ weight[row, kept]])
        *fitted[row, kept], bias[row] = np.linalg.lstsq(left, right, rcond=None)[0]
    return fitted, bias


def fit(x, y, weight, pattern, sparsity):
    result = fit_sparse(*map(torch.from_numpy, (x, y, weight)), pattern, sparsity, damping=DAMPING)
    return result.weight.numpy(), result.bias.numpy(), result.mask.numpy()


@pytest.mark.parametrize("pattern", [Blocks(), Blocks(4, 1), Blocks(2, 2), NofM(2, 4)])
def test_the_kept_weights_are_the_best_for_their_mask(pattern):
    x, y, weight = problem(0, outputs=4)
    fitted, bias, mask = fit(x, y, weight, pattern, 0.5)
    assert mask.mean() == 0.5
    assert (fitted[~mask] == 0).all()
    assert (pattern.mask(torch.from_numpy(np.abs(fitted)), 0.5).numpy() == mask).all()
    best = loss(x, y, weight, *least_squares(x, y, weight, mask))
    assert best <= loss(x, y, weight, fitted, bias) <= 1.01 * best


def test_nothing_removed_is_ridge_regression():
    x, y, weight = problem(1, outputs=3)
    fitted, bias, mask = fit(x, y, weight, Blocks(), 0)
    assert mask.all()
    expected = least_squares(x, y, weight, mask)
    np.testing.assert_allclose(fitted, expected[0], rtol=1e-6)
    np.testing.assert_allclose(bias, expected[1], rtol=1e-6)


@pytest.mark.parametrize(("outputs", "pattern"), [(1, Blocks()), (4, Blocks(4, 1))])
def test_the_mask_is_among_the_best_of_all(outputs, pattern):
    """Over twenty problems, beside all 56 masks that keep 3 of 8 inputs, and beside magnitude's."""
    ranks, gained = [], []
    for seed in range(20):
        x, y, weight = problem(seed, outputs)
        *found, _ = fit(x, y, weight, pattern, 5 / 8)
        every = []
        for kept in combinations(range(8), 3):
            candidate = np.zeros((outputs, 8), bool)
            candidate[:, kept] = True
            every.append(loss(x, y, weight, *least_squares(x, y, weight, candidate)))
        ranks.append(sum(other < 0.999 * loss(x, y, weight, *found) for other in every))
        largest = pattern.mask(torch.from_numpy(np.abs(weight)), 5 / 8).numpy()
        gained.append(loss(x, y, weight, *least_squares(x, y, weight, largest)) / loss(x, y, weight, *found))
    assert np.median(ranks) <= 1
    assert max(ranks) <= 10
    assert np.median(gained) > 1.2


def test_an_input_that_never_changes_is_left_to_the_bias():
    x, y, weight = problem(2, outputs=4)
    x[:, 3] = 7
    fitted, bias, mask = fit(x, y, weight, Blocks(), 0.5)
    assert not mask[:, 3].any()
    np.testing.assert_allclose((x @ fitted.T + bias).mean(axis=0), y.mean(axis=0))
