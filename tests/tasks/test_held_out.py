from dataclasses import replace

import numpy as np
import pytest
from datasets import Dataset

from kaprune_edge.tasks.held_out import hold_out
from kaprune_edge.tasks.task import Task


class Untouchable:
    """Rows that nobody may look at."""

    def __getattribute__(self, name):
        raise AssertionError("the evaluation rows were read")

    def __len__(self):
        raise AssertionError("the evaluation rows were read")

    def __getitem__(self, index):
        raise AssertionError("the evaluation rows were read")


def task(labels, names=("no", "yes")):
    train = Dataset.from_dict({"text": [str(row) for row in range(len(labels))], "label": labels})
    return Task("made", ("text",), names, train, Untouchable(), ("accuracy",))


@pytest.mark.parametrize("count", [2, 3, 10, 40, 999, 1000, 5000, 30_000])
def test_every_row_is_in_one_part(count):
    rows = task([row % 2 for row in range(count)])
    split = hold_out(rows, seed=0)
    rest, held = list(split.train["text"]), list(split.evaluation["text"])
    if count > 3:
        assert len(held) == min(max(round(count / 10), 200), count // 5, 1000)
    assert sorted([*rest, *held]) == sorted(rows.train["text"])
    assert len(rest) and (len(held) or count < 3)


def test_every_label_has_its_share():
    labels = [0] * 9900 + [1] * 100
    split = hold_out(task(labels), seed=0)
    assert len(split.evaluation) == 1000
    assert sum(split.evaluation["label"]) == pytest.approx(10, abs=1)


def test_the_training_keeps_a_row_of_every_class():
    names = tuple(f"class {index}" for index in range(30))
    split = hold_out(task([row % 30 for row in range(40)], names), seed=0)
    assert set(split.train["label"]) == set(range(30))


def test_values_are_held_out_evenly():
    values = np.random.default_rng(0).normal(size=1000).tolist()
    split = hold_out(replace(task(values), label_names=()), seed=0)
    held = np.sort(split.evaluation["label"])
    assert np.abs(np.quantile(held, [0.1, 0.5, 0.9]) - np.quantile(values, [0.1, 0.5, 0.9])).max() < 0.1


def test_the_seed_decides():
    rows = task([row % 2 for row in range(100)])
    first, again, other = (list(hold_out(rows, seed).evaluation["text"]) for seed in (0, 0, 1))
    assert first == again != other


def test_rows_with_tags_and_with_answers_are_held_out():
    words = Dataset.from_dict({"tokens": [["a"]] * 100, "label": [[0], [1]] * 50})
    split = hold_out(replace(task([0, 1]), train=words), seed=0, share=0.2)
    assert sorted(map(len, (split.train, split.evaluation))) == [20, 80]
    assert sum(label == [1] for label in split.evaluation["label"]) == 10
    answers = Dataset.from_dict({"question": ["q"] * 50, "answers": [["a"]] * 40 + [[]] * 10})
    split = hold_out(replace(task([0, 1]), train=answers), seed=0)
    assert sum(not found for found in split.evaluation["answers"]) == 2
