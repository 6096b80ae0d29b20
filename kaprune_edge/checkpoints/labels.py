"""The labels of a model beside those of a task: they are matched by name."""

import re
from collections.abc import Sequence
from pathlib import Path

from kaprune_edge.tasks import Task
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, TEXT

_SHOWN = 12


def match_task(
    task: Task, source: str | Path, kind: str, labels: Sequence[str], problem_type: str | None
) -> tuple[int, ...]:
    """Find the output of a model for each of a task's labels.

    Names are compared as they are, then without case. `LABEL_n` and plain numbers from 0 stand for positions,
    on either side.

    Args:
        task: The task.
        source: What to call the model.
        kind: What it is for; see `kaprune_runtime.kinds`.
        labels: Names of its outputs.
        problem_type: Of its config.json.

    Returns:
        For each label of the task the index of the model's output.

    Raises:
        InputError: The model is for something else, or has other labels.
    """
    if kind != task.kind:
        raise InputError(f"{source} is for {kind} but {task.name} for {task.kind}; name a model made for it")
    if kind == QUESTIONS:
        return (0, 1)
    if kind == TEXT:
        _check_problem_type(task, source, len(labels), problem_type)
    if task.is_regression and len(labels) == 1:
        return (0,)
    order = match_names(labels, task.label_names)
    if order is None:
        wanted = _listed(task.label_names) if task.label_names else "a value"
        raise InputError(
            f"{source} predicts {len(labels)} labels ({_listed(labels)}) but {task.name} has "
            f"{task.num_labels} ({wanted}); name a model fine-tuned on this task, or rename "
            "the labels of one of them"
        )
    return order


def task_names(task: Task, labels: Sequence[str], order: Sequence[int]) -> tuple[str, ...]:
    """Name outputs in a task's order: as the task does, or as the model where the task has mere numbers."""
    own = tuple(labels[index] for index in order)
    plain = _positions(task.label_names) is not None and _positions(own) is None
    return own if plain or not task.label_names else task.label_names


def _check_problem_type(task: Task, source: str | Path, outputs: int, problem_type: str | None) -> None:
    if problem_type == "multi_label_classification" and outputs > 1:
        raise InputError(
            f"{source} gives a text any number of labels (multi_label_classification), but {task.name} "
            "has one a text; name a model fine-tuned for that"
        )
    if problem_type == "regression" and not task.is_regression:
        raise InputError(
            f"{source} predicts values (regression), but {task.name} has labels; name a classifier"
        )


def match_names(own: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...] | None:
    """Find each wanted name among a model's own, None where that is impossible; see `match_task`."""
    if len(own) != len(wanted):
        return None
    for spelled in (str, str.casefold):
        index = {spelled(name): at for at, name in enumerate(own)}
        if len(index) == len(own) and index.keys() == {spelled(name) for name in wanted}:
            return tuple(index[spelled(name)] for name in wanted)
    if (at := _positions(own)) is not None:
        return tuple(at.index(position) for position in range(len(own)))
    at = _positions(wanted)
    return None if at is None else tuple(at)


def _positions(names: Sequence[str]) -> list[int] | None:
    """The positions that names such as LABEL_0 or 0 stand for, None where they are names."""
    found = [re.fullmatch(r"(?:LABEL_)?(0|[1-9]\d*)", name, re.IGNORECASE) for name in names]
    at = [int(match[1]) for match in found if match]
    return at if sorted(at) == list(range(len(names))) else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
