"""One file of rows: some are for evaluation, the same ones in every command."""

import logging
from dataclasses import replace

from kaprune_edge.processes import is_main
from kaprune_edge.tasks.held_out import hold_out
from kaprune_edge.tasks.task import Task
from kaprune_runtime.errors import InputError
from kaprune_runtime.terminal import visible

SEED = 0
"""Of the split alone. Commands have seeds of their own or none, and all have to find the same rows."""
FEWEST_TEXTS = 10

_log = logging.getLogger(__name__)


def split(task: Task) -> Task:
    """Take the evaluation rows out of the training rows, and tell how many they are.

    They are chosen by `hold_out`. Rows with the same text are all on one side, so that nothing is judged on
    what was learnt by heart.

    Args:
        task: Its training rows and its evaluation rows are all rows of the file.

    Raises:
        InputError: The rows all have the same label, or the different texts are fewer than `FEWEST_TEXTS` or
            than two for each class.
    """
    task.check_rows()
    columns = [task.train[column] for column in task.text_columns]
    texts = list(zip(*columns, strict=True))
    first = {text: row for row, text in reversed(list(enumerate(texts)))}
    fewest = max(FEWEST_TEXTS, 2 * len(task.label_names))
    if len(first) < fewest:
        kind = task.name.partition(":")[0]
        raise InputError(
            f"{task.name} has {len(first)} different texts, too few to split (at least {fewest}); give more, "
            f"or two files, {kind}:TRAIN,EVAL"
        )
    different = task.train.select(sorted(first.values()))
    held = hold_out(replace(task, train=different), SEED).evaluation
    judged = set(zip(*(held[column] for column in task.text_columns), strict=True))
    rest = [row for row, text in enumerate(texts) if text not in judged]
    evaluation = [row for row, text in enumerate(texts) if text in judged]
    if is_main():
        _log.warning(
            "%s is one file: %s of its %s rows are for evaluation, the same ones in every command",
            visible(task.name),
            f"{len(evaluation):,}",
            f"{len(texts):,}",
        )
    return replace(task, train=task.train.select(rest), evaluation=task.train.select(evaluation))
