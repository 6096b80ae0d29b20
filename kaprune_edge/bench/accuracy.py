"""How well a deployment does its task, judged as its users run it."""

from pathlib import Path

import numpy as np

from kaprune_edge.devices import Device, LocalDevice
from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task
from kaprune_runtime.deployment import ModelConfig
from kaprune_runtime.errors import InputError
from kaprune_runtime.providers import CPU


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
    rows = task.evaluation
    with place.classifier(folder, threads=threads, provider=provider) as classifier:
        check_labels(folder, classifier.config, task)
        logits = classifier.logits(
            *(list(rows[column]) for column in task.text_columns),
            max_length=min(max_length, classifier.config.max_tokens),
            on_done=progress.advance,
        )
    return task.score(logits, np.asarray(rows["label"]))


def check_labels(folder: Path, config: ModelConfig, task: Task) -> None:
    """Raise InputError unless the model has as many outputs as the task needs."""
    if len(config.labels) != task.num_labels:
        raise InputError(
            f"{folder} predicts {len(config.labels)} labels but {task.name} has {task.num_labels}; "
            "name the task that it was made for"
        )
