"""Training rows that are held out, to judge every step of the search on."""

from dataclasses import replace

import numpy as np
from datasets import Dataset

from kaprune_edge.tasks import Task
from kaprune_runtime.errors import InputError

SHARE = 0.2
MOST_ROWS = 2000
FEWEST_ROWS = 8


def hold_out(task: Task, seed: int) -> Task:
    """Split a task's training rows.

    Args:
        task: Its evaluation rows are not read.
        seed: Of the choice.

    Returns:
        The task with the rows that are left for training, and the held-out rows for evaluation: a fifth, at
        most 2,000. Each class gives about the same share of its rows.

    Raises:
        InputError: There are too few training rows.
    """
    rows = len(task.train)
    count = min(MOST_ROWS, round(SHARE * rows))
    if count < FEWEST_ROWS:
        raise InputError(
            f"{task.name} has {rows} training rows; compress needs at least {round(FEWEST_ROWS / SHARE)} "
            "to hold some out"
        )
    held = _choose(task, count, seed)
    return replace(
        task, train=_take(task.train, np.flatnonzero(~held)), evaluation=_take(task.train, held.nonzero()[0])
    )


def _choose(task: Task, count: int, seed: int) -> np.ndarray:
    """Mark rows, bool [rows]: every k-th of the shuffled rows, sorted by label."""
    order = np.random.default_rng(seed).permutation(len(task.train))
    order = order[np.argsort(_keys(task)[order], kind="stable")]
    places = (np.arange(count) + 0.5) * len(order) / count
    held = np.zeros(len(order), bool)
    held[order[places.astype(int)]] = True
    return held


def _keys(task: Task) -> np.ndarray:
    """Give what rows are spread evenly by: the label, the number of tagged words, the number of answers."""
    if "label" not in task.train.column_names:
        return np.array([len(answers) for answers in task.train["answers"]])
    labels = list(task.train["label"])
    return np.array([sum(map(bool, label)) for label in labels] if isinstance(labels[0], list) else labels)


def _take(rows: Dataset, index: np.ndarray) -> Dataset:
    """Copy rows, so that nothing else of the table is held in memory or reached by mistake."""
    return Dataset.from_dict(rows[index], features=rows.features)
