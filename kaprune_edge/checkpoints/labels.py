"""The labels of a checkpoint and of a task."""

from collections.abc import Sequence

from kaprune_edge.tasks import Task
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TOKENS

_UNNAMED = "LABEL_0"


def check_made_for(task: Task, source: object, kind: str, labels: Sequence[str]) -> None:
    """Raise InputError unless a model is of a task's kind and has its labels.

    Args:
        task: The task.
        source: What to call the model.
        kind: What it is for; see `kaprune_runtime.kinds`.
        labels: Names of its outputs.
    """
    if kind != task.kind:
        raise InputError(f"{source} is for {kind} but {task.name} for {task.kind}; name a model made for it")
    if len(labels) != task.num_labels:
        raise InputError(
            f"{source} predicts {len(labels)} labels but {task.name} has {task.num_labels}; "
            "name a model fine-tuned on this task"
        )
    if task.kind == TOKENS and tuple(labels) != task.label_names and labels[0] != _UNNAMED:
        raise InputError(
            f"{source} has the tags {', '.join(labels)} but {task.name} has {', '.join(task.label_names)}; "
            "name a model fine-tuned on this task"
        )
