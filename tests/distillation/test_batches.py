import numpy as np

from kaprune_edge.distillation.batches import LengthBuckets

LENGTHS = np.random.default_rng(0).integers(4, 128, 1003)


def padding(order, size=32):
    batches = [LENGTHS[order[start : start + size]] for start in range(0, len(order), size)]
    return sum(batch.max() * len(batch) - batch.sum() for batch in batches) / LENGTHS.sum()


def test_every_row_comes_once_and_little_is_padded():
    order = list(LengthBuckets(LENGTHS, 32, seed=0))
    assert sorted(order) == list(range(len(LENGTHS)))
    assert padding(order) < 0.4 * padding(list(range(len(LENGTHS))))


def test_the_order_follows_from_seed_and_epoch():
    first, second = LengthBuckets(LENGTHS, 32, seed=1), LengthBuckets(LENGTHS, 32, seed=1)
    assert list(first) == list(second)
    first.set_epoch(1)
    assert list(first) != list(second)
    second.set_epoch(1)
    assert list(first) == list(second)


def test_batches_do_not_come_sorted():
    order = np.array(list(LengthBuckets(LENGTHS, 32, seed=0)))[:992].reshape(-1, 32)
    means = LENGTHS[order].mean(axis=1)
    assert 0.3 < (np.diff(means) > 0).mean() < 0.7
