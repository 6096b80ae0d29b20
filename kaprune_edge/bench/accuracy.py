"""How well a deployment does its task, judged as its users run it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from kaprune_edge.checkpoints import match_task
from kaprune_edge.devices import Device, LocalDevice
from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task, TokenLevelTask
from kaprune_runtime.deployment import ModelConfig, read_config
from kaprune_runtime.errors import InputError
from kaprune_runtime.providers import CPU
from kaprune_runtime.token_model import open_token_model


def score_deployment(
    folder: Path,
    task: Task,
    *,
    progress: Progress,
    max_length: int = 128,
    threads: int = 1,
    provider: str = CPU,
    device: Device | None = None,
) -> dict[str, float]:
    """Run a deployment on a task's evaluation rows.

    Args:
        folder: Deployment.
        task: Gives rows and metrics.
        progress: Told of the rows done.
        max_length: Longest row in tokens; fewer where the model has fewer positions.
        threads: Threads of one run.
        provider: Execution provider.
        device: Where to run, the deployment prepared; this machine when None.

    Returns:
        The value of every metric, the headline first.

    Raises:
        InputError: The deployment is damaged or made for other labels.
        KapruneError: ONNX Runtime failed.
    """
    place = device or LocalDevice()
    check_place(task, place)
    order = list(check_labels(folder, read_config(folder), task))
    if isinstance(task, TokenLevelTask):
        loaded = open_token_model(folder, task.kind, threads=threads, provider=provider)
        model = replace(loaded, forward=lambda feeds: loaded.forward(feeds)[..., order])
        return task.measure(model, min(max_length, model.max_tokens), progress.advance)
    rows = task.evaluation
    with place.classifier(folder, threads=threads, provider=provider) as classifier:
        logits = classifier.logits(
            *(list(rows[column]) for column in task.text_columns),
            max_length=min(max_length, classifier.config.max_tokens),
            on_done=progress.advance,
        )
    return task.score(logits[:, order], np.asarray(rows["label"]))


def check_place(task: Task, device: Device) -> None:
    """Raise InputError unless a device can run a task."""
    if isinstance(task, TokenLevelTask) and not isinstance(device, LocalDevice):
        raise InputError(f"devices classify sentences only; evaluate {task.name} on this machine")


def check_labels(folder: Path, config: ModelConfig, task: Task) -> tuple[int, ...]:
    """Find a deployment's output for each of a task's labels; see `match_task` for the errors."""
    return match_task(task, folder, config.kind, config.labels, config.problem_type)
