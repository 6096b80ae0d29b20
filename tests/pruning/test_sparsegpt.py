"""Algorithm 1 beside the same elimination with every inverse made anew, and whole tiny models."""

import copy

import numpy as np
import pytest
import tiny
import torch
from test_reconstruction import divergence, pruned, text

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.sparsegpt import DAMPING, SparseGPT, inverse_factor, prune_columns
from kaprune_edge.sparsity.patterns import Blocks, NofM
from kaprune_runtime.errors import InputError


def problem(inputs, outputs=8, samples=400):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(samples, inputs)) @ generator.normal(size=(inputs, inputs))
    return x * np.geomspace(0.3, 3, inputs), generator.normal(size=(outputs, inputs))


def eliminate(x, weight, pattern, sparsity, slab):
    """Take columns in turn; the error of each is shared out by the inverse Hessian of those not yet taken."""
    hessian = x.T @ x
    hessian += DAMPING * np.diag(hessian).mean() * np.eye(len(hessian))
    inverses = [np.linalg.inv(hessian[column:, column:]) for column in range(len(hessian))]
    weight, mask = weight.copy(), np.ones_like(weight, bool)
    for start in range(0, weight.shape[1], slab):
        columns = range(start, min(start + slab, weight.shape[1]))
        pivots = np.array([inverses[column][0, 0] for column in columns])
        scores = torch.from_numpy(np.square(weight[:, columns]) / pivots)
        mask[:, columns] = pattern.mask(scores, sparsity).numpy()
        for column in columns:
            inverse = inverses[column]
            gone = np.where(mask[:, column], 0, weight[:, column])
            weight[:, column:] -= np.outer(gone / inverse[0, 0], inverse[0])
    return weight, mask


@pytest.mark.parametrize(
    ("pattern", "inputs", "slab"),
    [
        (Blocks(), 24, 128),
        (Blocks(4, 1), 24, 128),
        (Blocks(2, 3), 24, 128),
        (NofM(2, 4), 24, 4),
        (Blocks(), 160, 128),
        (Blocks(4, 3), 144, 126),
    ],
)
def test_it_is_the_elimination_of_one_column_after_another(pattern, inputs, slab):
    x, weight = problem(inputs)
    expected, expected_mask = eliminate(x, weight, pattern, 0.5, slab)
    factor = inverse_factor(torch.from_numpy(x))
    found, mask = prune_columns(torch.from_numpy(weight), factor, pattern, 0.5)
    assert (mask.numpy() == expected_mask).all()
    assert (found[~mask] == 0).all()
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_weights_that_stay_make_up_for_those_that_go():
    x, weight = problem(24)
    found, mask = prune_columns(
        torch.from_numpy(weight), inverse_factor(torch.from_numpy(x)), Blocks(4, 1), 0.5
    )
    left = np.square(x @ (found.numpy() - weight).T).sum()
    assert left < 0.5 * np.square(x @ (weight * mask.numpy() - weight).T).sum()


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
@pytest.mark.parametrize(("pattern", "sparsity"), [(Blocks(), 0.3), (Blocks(4, 1), 0.3), (NofM(2, 4), 0.5)])
def test_it_keeps_what_the_model_says_of_new_text_better_than_magnitude(model_type, pattern, sparsity):
    teacher = tiny.make_model(model_type, vocab_size=60)
    batches = [text(seed) for seed in range(8)]
    ours = pruned(teacher, lambda student: SparseGPT(student, teacher, batches), sparsity, pattern)
    theirs = pruned(teacher, lambda _: Magnitude(), sparsity, pattern)
    for weight in encoder_matrices(ours).values():
        assert (weight == 0).float().mean() == pytest.approx(sparsity, abs=0.01)
    assert divergence(ours, teacher, text(99)) < 0.9 * divergence(theirs, teacher, text(99))


def test_a_pattern_that_does_not_divide_is_refused():
    teacher = tiny.make_model("bert", vocab_size=60)
    with pytest.raises(InputError, match="pattern 5x1 does not divide"):
        pruned(teacher, lambda student: SparseGPT(student, teacher, [text(0)]), pattern=Blocks(5, 1))


def test_a_model_in_training_stays_in_training():
    teacher = tiny.make_model("bert", vocab_size=60)
    student = copy.deepcopy(teacher).train()
    pruned(teacher, lambda student: SparseGPT(student, teacher, [text(0)]), student=student)
    assert student.training
