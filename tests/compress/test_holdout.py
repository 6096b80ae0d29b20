from collections import Counter

import pytest

from kaprune_edge.compress.holdout import MOST_ROWS, hold_out
from kaprune_edge.tasks import Task
from kaprune_edge.tasks.task import rows
from kaprune_runtime.errors import InputError


class Unread:
    """Evaluation rows that nobody may read."""

    def __getattr__(self, name):
        raise AssertionError(f"the evaluation rows were asked for {name}")


def task(labels, names=("no", "yes")):
    texts = {"text": [f"text {index}" for index in range(len(labels))]}
    return Task("made", ("text",), names, rows(texts, labels), Unread(), ("accuracy",))


def test_rows_are_on_one_side_alone_and_evaluation_rows_unread():
    held = hold_out(task([0, 1] * 100), seed=0)
    train, evaluation = set(held.train["text"]), set(held.evaluation["text"])
    assert len(evaluation) == 40 and not train & evaluation
    assert train | evaluation == {f"text {index}" for index in range(200)}


def test_every_class_gives_its_share():
    held = hold_out(task([0] * 990 + [1] * 10 + [2] * 500, ("a", "b", "c")), seed=1)
    assert Counter(held.evaluation["label"]) == {0: 198, 1: 2, 2: 100}


def test_the_seed_decides():
    choices = [tuple(hold_out(task([0, 1] * 50), seed=seed).evaluation["text"]) for seed in (0, 0, 1)]
    assert choices[0] == choices[1] != choices[2]


def test_many_rows_hold_out_a_part():
    assert len(hold_out(task([0, 1] * 10_000), seed=0).evaluation) == MOST_ROWS


def test_values_spread_over_their_range():
    values = [index / 100 for index in range(100)]
    held = sorted(hold_out(task(values, ()), seed=0).evaluation["label"])
    assert all(5 * place <= 100 * value < 5 * (place + 1) for place, value in enumerate(held))


def test_too_few_rows():
    with pytest.raises(InputError, match="10 training rows; compress needs at least 40"):
        hold_out(task([0, 1] * 5), seed=0)
