"""Saliency and update beside the constrained minimum solved by NumPy, and whole tiny models."""

import copy

import numpy as np
import pytest
import tiny
import torch
from test_reconstruction import divergence, pruned, text

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.pruning import fisher
from kaprune_edge.pruning.fisher import Fisher, prune_by_fisher
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.sparsity.patterns import Blocks, NofM
from kaprune_runtime.errors import InputError

BLOCK, DAMPING = 12, 0.05


def problem(rows=4, columns=12, samples=30):
    """Weights, and correlated gradients of unlike sizes."""
    generator = np.random.default_rng(0)
    size = rows * columns
    gradients = generator.normal(size=(samples, size)) @ generator.normal(size=(size, size))
    gradients *= 1e-4 * np.geomspace(0.3, 3, size)
    return generator.normal(size=(rows, columns)), gradients.reshape(samples, rows, columns)


def inverse_by_woodbury(gradients, damping):
    """Add one gradient after another to the inverse, as the paper's equation 4 does."""
    inverse = np.eye(gradients.shape[1]) / damping
    for gradient in gradients:
        pulled = inverse @ gradient
        inverse -= np.outer(pulled, pulled) / (len(gradients) + gradient @ pulled)
    return inverse


def diagonal_blocks(pattern):
    """Flat indices of the weights in each diagonal block, in groups; blocks are taken along the rows."""
    if not isinstance(pattern, Blocks):
        pattern = Blocks()
    grid = np.arange(48).reshape(4 // pattern.rows, pattern.rows, 12 // pattern.columns, pattern.columns)
    groups = grid.transpose(0, 2, 1, 3).reshape(-1, pattern.rows * pattern.columns)
    return groups.reshape(-1, BLOCK // groups.shape[1], groups.shape[1])


def reference(weight, gradients, pattern, sparsity):
    """Remove the groups of least saliency; the exact minimum of each block's quadratic with those at zero."""
    flat = gradients.reshape(len(gradients), -1)
    flat = flat / np.sqrt(np.square(flat).mean())
    scores, moved, inverses = np.zeros(48), weight.flatten(), []
    for groups in diagonal_blocks(pattern):
        inverse = inverse_by_woodbury(flat[:, groups.flatten()], DAMPING)
        inverses.append(inverse)
        for place, group in enumerate(groups):
            own = slice(place * len(group), (place + 1) * len(group))
            w = weight.flatten()[group]
            scores[group] = w @ np.linalg.inv(inverse[own, own]) @ w / 2 / len(group)
    mask = pattern.mask(torch.from_numpy(scores.reshape(weight.shape)), sparsity).numpy()
    for groups, inverse in zip(diagonal_blocks(pattern), inverses, strict=True):
        block = groups.flatten()
        gone = ~mask.flatten()[block]
        pull = np.linalg.solve(inverse[np.ix_(gone, gone)], weight.flatten()[block][gone])
        moved[block] -= inverse[:, gone] @ pull
    return moved.reshape(weight.shape), mask


@pytest.mark.parametrize("pattern", [Blocks(), Blocks(4, 1), Blocks(2, 2), NofM(2, 4)])
@pytest.mark.parametrize("chunk", [1, 4096])
def test_saliency_and_update_are_the_papers(pattern, chunk, monkeypatch):
    monkeypatch.setattr(fisher, "CHUNK", chunk)
    weight, gradients = problem()
    expected, expected_mask = reference(weight, gradients, pattern, 0.5)
    moved, mask = prune_by_fisher(
        *map(torch.from_numpy, (weight, gradients)), pattern, 0.5, block=BLOCK, damping=DAMPING
    )
    assert (mask.numpy() == expected_mask).all()
    np.testing.assert_allclose(moved * mask, expected * expected_mask, atol=1e-8)
    assert (moved[~mask] == 0).all()


def test_a_last_block_that_is_not_full_is_pruned_like_the_others():
    weight, gradients = problem()
    moved, mask = prune_by_fisher(*map(torch.from_numpy, (weight, gradients)), Blocks(), 0.5, block=32)
    assert mask.sum() == 24
    alone, _ = prune_by_fisher(
        *(torch.from_numpy(each).reshape(*each.shape[:-2], 1, 48)[..., 32:] for each in (weight, gradients)),
        Blocks(),
        1 - mask.flatten()[32:].double().mean().item(),
        block=32,
    )
    assert ((alone != 0) == mask.flatten()[32:]).all()
    assert moved.isfinite().all()


def test_without_any_gradient_it_is_magnitude():
    weight = torch.from_numpy(problem()[0])
    moved, mask = prune_by_fisher(weight, weight.new_zeros(5, *weight.shape), Blocks(), 0.5)
    assert torch.equal(mask, Blocks().mask(weight.abs(), 0.5))
    torch.testing.assert_close(moved, weight * mask)


@pytest.mark.parametrize("model_type", ["bert", "distilbert"])
def test_it_keeps_what_the_model_says_of_new_text_better_than_magnitude(model_type):
    teacher = tiny.make_model(model_type, vocab_size=60)
    batches = [text(seed, rows=8) for seed in range(64)]
    ours = pruned(teacher, lambda student: Fisher(student, teacher, batches), 0.3)
    theirs = pruned(teacher, lambda _: Magnitude(), 0.3)
    assert divergence(ours, teacher, text(99)) < 0.8 * divergence(theirs, teacher, text(99))


def test_parts_of_a_model_are_pruned_as_the_whole(monkeypatch):
    teacher = tiny.make_model("bert", vocab_size=60)
    batches = [text(0), text(1)]
    whole = pruned(teacher, lambda student: Fisher(student, teacher, batches))
    monkeypatch.setattr(fisher, "MOST_BYTES", 1)
    parts = pruned(teacher, lambda student: Fisher(student, teacher, batches))
    for name, weight in encoder_matrices(whole).items():
        assert torch.equal(weight, encoder_matrices(parts)[name])


def test_a_model_in_training_stays_in_training_without_gradients():
    teacher = tiny.make_model("bert", vocab_size=60)
    student = copy.deepcopy(teacher).train()
    pruned(teacher, lambda student: Fisher(student, teacher, [text(0)]), student=student)
    assert student.training
    assert all(weight.grad is None for weight in student.parameters())


def test_a_pattern_that_does_not_divide_is_refused():
    teacher = tiny.make_model("bert", vocab_size=60)
    with pytest.raises(InputError, match="pattern 5x1 does not divide"):
        pruned(teacher, lambda student: Fisher(student, teacher, [text(0)]), pattern=Blocks(5, 1))
