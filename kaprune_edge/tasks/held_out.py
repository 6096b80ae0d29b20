"""Rows held out of the training rows, to choose or to judge by."""

from dataclasses import replace

import numpy as np

from kaprune_edge.tasks.task import Task

SHARE = 0.1
FEWEST, MOST = 200, 1000
"""Rows to hold out, where they are no more than a fifth of all."""


def hold_out(task: Task, seed: int, *, share: float = SHARE, most: int = MOST) -> Task:
    """Take rows out of the training rows, of every label as many as its share.

    Args:
        task: Its evaluation rows are not read.
        seed: The same seed holds out the same rows.
        share: Part of the training rows to hold out, at most a fifth.
        most: Rows to hold out at most.

    Returns:
        A task whose evaluation rows are those held out, and whose training rows are the others.
    """
    keys = _keys(task)
    count = min(max(round(share * len(keys)), FEWEST), most, max(len(keys) // 5, 1))
    order = np.lexsort([np.random.default_rng(seed).random(len(keys)), keys])
    if not task.is_regression:  # the training keeps a row of every class
        order = order[np.diff(keys[order], prepend=-1) == 0]
    chosen = np.linspace(0, len(order), count, endpoint=False) + len(order) / count / 2
    held = np.unique(order[chosen.astype(int)]) if len(order) else np.array([0])
    rest = np.setdiff1d(np.arange(len(keys)), held)
    return replace(task, train=task.train.select(rest), evaluation=task.train.select(held))


def _keys(task: Task) -> np.ndarray:
    """Give what rows are spread evenly by: the label, the number of tagged words, the number of answers."""
    if "label" not in task.train.column_names:
        return np.array([len(answers) for answers in task.train["answers"]])
    labels = list(task.train["label"])
    return np.array([sum(map(bool, label)) for label in labels] if isinstance(labels[0], list) else labels)
