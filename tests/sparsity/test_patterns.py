import itertools

import pytest
import torch

from kaprune_edge.sparsity.patterns import Blocks, NofM, parse_pattern
from kaprune_runtime.errors import InputError


@pytest.fixture
def scores():
    return torch.rand(32, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("text", ["unstructured", "1x4", "4x1", "8x1", "16x1", "4x4", "32x1"])
@pytest.mark.parametrize("sparsity", [0, 0.5, 0.9, 0.95])
def test_blocks_keep_the_share_asked_for_in_whole_blocks(scores, text, sparsity):
    pattern = parse_pattern(text)
    mask = pattern.mask(scores, sparsity)
    blocks = mask.reshape(32 // pattern.rows, pattern.rows, 64 // pattern.columns, pattern.columns)
    size = pattern.rows * pattern.columns
    assert set(blocks.sum(dim=(1, 3)).flatten().tolist()) <= {0, size}
    assert mask.sum() == round((1 - sparsity) * mask.numel() / size) * size


def test_blocks_keep_the_most_important_of_all_choices():
    scores = torch.rand(4, 4, generator=torch.Generator().manual_seed(2))
    mask = Blocks(2, 2).mask(scores, 0.5)
    best = max(
        scores[:2, :2].sum() * a
        + scores[:2, 2:].sum() * b
        + scores[2:, :2].sum() * c
        + scores[2:, 2:].sum() * d
        for a, b, c, d in itertools.product((0, 1), repeat=4)
        if a + b + c + d == 2
    )
    assert (scores * mask).sum() == pytest.approx(float(best))


def test_n_of_m_keeps_the_n_largest_of_every_group(scores):
    mask = NofM(2, 4).mask(scores, 0.5)
    for row, kept in zip(scores.reshape(-1, 4), mask.reshape(-1, 4), strict=True):
        assert set(row[kept].tolist()) == set(row.sort().values[2:].tolist())


def test_n_of_m_on_its_way_up_removes_only_what_it_will_remove(scores):
    pattern = NofM(2, 4)
    assert not (pattern.mask(scores, 0.5) & ~pattern.mask(scores, 0.3)).any()
    assert pattern.mask(scores, 0.3).float().mean() == pytest.approx(0.7, abs=1e-3)


@pytest.mark.parametrize("text", ["unstructured", "4x1", "2:4", "16x16"])
def test_patterns_print_as_they_are_written(text):
    assert str(parse_pattern(text)) == text


@pytest.mark.parametrize(
    "text", ["", "4", "0x1", "4x", "x4", "4:2", "2:2", "block", "4x1x1", "-4x1", "9999x1"]
)
def test_unknown_patterns_are_refused(text):
    with pytest.raises(InputError, match="unknown pattern"):
        parse_pattern(text)


@pytest.mark.parametrize(
    ("pattern", "sparsity", "message"),
    [
        (Blocks(5, 1), 0.5, "does not divide"),
        (NofM(2, 5), 0.5, "does not divide"),
        (NofM(2, 4), 0.9, "removes 50%"),
        (Blocks(), 1.0, "impossible"),
        (Blocks(), -0.1, "impossible"),
    ],
)
def test_what_does_not_fit_is_refused(scores, pattern, sparsity, message):
    with pytest.raises(InputError, match=message):
        pattern.mask(scores, sparsity)
