"""Rows held out of the training rows, to choose by; the evaluation rows are for the last figure alone."""

from dataclasses import replace

import numpy as np

from kaprune_edge.tasks import Task

SHARE = 0.1
FEWEST, MOST = 200, 1000
"""Rows to hold out, where they are no more than a fifth of all."""


def hold_out(task: Task, seed: int) -> Task:
    """Take rows out of the training rows, of every label as many as its share.

    Args:
        task: Its evaluation rows are not read.
        seed: The same seed holds out the same rows.

    Returns:
        A task whose evaluation rows are those held out, and whose training rows are the others.
    """
    labels = np.asarray(task.train["label"])
    count = min(max(round(SHARE * len(labels)), FEWEST), MOST, max(len(labels) // 5, 1))
    order = np.lexsort([np.random.default_rng(seed).random(len(labels)), labels])
    if not task.is_regression:  # the training keeps a row of every class
        order = order[np.diff(labels[order], prepend=-1) == 0]
    chosen = np.linspace(0, len(order), count, endpoint=False) + len(order) / count / 2
    held = np.unique(order[chosen.astype(int)]) if len(order) else np.array([0])
    rest = np.setdiff1d(np.arange(len(labels)), held)
    return replace(task, train=task.train.select(rest), evaluation=task.train.select(held))
