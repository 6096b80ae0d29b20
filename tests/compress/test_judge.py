import numpy as np
import pytest

from kaprune_edge.compress.judge import Judge
from kaprune_edge.tasks import Task
from kaprune_edge.tasks.task import rows

RANDOM = np.random.default_rng(3)


def judge(labels, metrics, names=("no", "yes")):
    texts = {"text": ["text"] * len(labels)}
    split = rows(texts, labels)
    return Judge(Task("made", ("text",), names, split, split, metrics), tokenizer=None, max_length=8)


def logits(answers, classes=2):
    return np.eye(classes, dtype=np.float32)[answers]


def test_drop_is_in_points_and_the_interval_is_that_of_paired_rows():
    labels = RANDOM.integers(0, 2, 1000)
    student = labels.copy()
    student[:50] = 1 - student[:50]
    drop = judge(labels.tolist(), ("accuracy",)).drop(logits(labels), logits(student))
    assert drop.points == pytest.approx(5)
    spread = 100 * np.sqrt(0.05 * 0.95 / 1000)  # of the mean of paired differences
    assert drop.low == pytest.approx(5 - 1.96 * spread, abs=0.3)
    assert drop.high == pytest.approx(5 + 1.96 * spread, abs=0.3)


def test_same_mistakes_are_no_drop():
    labels = RANDOM.integers(0, 2, 200)
    answers = np.where(RANDOM.random(200) < 0.3, 1 - labels, labels)
    drop = judge(labels.tolist(), ("accuracy",)).drop(logits(answers), logits(answers))
    assert (drop.points, drop.low, drop.high) == (0, 0, 0)


def test_regression_is_judged_by_its_correlation():
    values = np.linspace(0, 5, 300)
    noisy = (values + RANDOM.normal(0, 1, 300)).astype(np.float32)[:, None]
    exact = values.astype(np.float32)[:, None]
    drop = judge(values.tolist(), ("pearson",), ()).drop(exact, noisy)
    assert drop.points == pytest.approx(100 * (1 - np.corrcoef(values, noisy[:, 0])[0, 1]), abs=0.01)
    assert drop.low < drop.points < drop.high
