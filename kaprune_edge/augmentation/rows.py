"""A file of a task's training rows, each followed by its copies."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from datasets import Dataset

from kaprune_edge.artifacts import resumable_file
from kaprune_edge.augmentation.augmenter import Augmenter
from kaprune_edge.augmentation.labels import Labeller
from kaprune_edge.augmentation.recipe import AugmentRecipe
from kaprune_edge.begun import keep_recipe
from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task
from kaprune_edge.tasks.digest import check_same_rows
from kaprune_edge.tasks.labels import class_order
from kaprune_edge.tasks.task import rows
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT

_ROWS_AT_A_TIME = 64


def check_augmentable(task: Task) -> None:
    """Raise InputError unless a task's labels hold for a text as a whole, whatever its words."""
    if task.kind != TEXT:
        raise InputError(
            f"{task.name} has answers inside its texts, which copies with other words would lose; "
            "augment a task that classifies whole texts"
        )


def write_augmented(
    recipe: AugmentRecipe,
    task: Task,
    augmenter: Augmenter,
    path: Path,
    *,
    progress: Progress,
    labeller: Labeller | None = None,
    workers: int | None = None,
    resume: bool = False,
) -> None:
    """Write a task's training rows and their copies as JSON lines that `jsonl:` tasks read.

    Every row has a random stream of its own, and each worker computes on one thread, so the file follows
    from the recipe alone, interrupted or not, whatever the number of workers.

    Args:
        recipe: How many copies, and the seed; kept until the file is whole.
        task: Its training rows are copied.
        augmenter: Makes the copies.
        path: The file to make.
        progress: Told of the rows done.
        labeller: Labels the copies; they have the label of their row when None.
        workers: Threads, each with rows of its own; as many as PyTorch would use when None.
        resume: Go on with an interrupted file.

    Raises:
        InputError: The file exists or was begun with another recipe, or there is nothing to resume.
        KapruneError: The disk is full or not writable.
    """
    columns = [task.train[column] for column in task.text_columns]
    labels = task.train["label"]
    names = _label_names(task)

    def lines(row: int) -> str:
        texts = [column[row] for column in columns]
        random = np.random.default_rng([recipe.seed, row])
        copies = augmenter.copies(texts, recipe.copies, recipe.replaced_share, random)
        predicted = labeller(copies) if labeller else [labels[row]] * len(copies)
        return "".join(
            json.dumps({**dict(zip(task.text_columns, texts, strict=True)), "label": names.get(label, label)})
            + "\n"
            for texts, label in zip([texts, *copies], [labels[row], *predicted], strict=True)
        )

    with resumable_file(path, resume=resume) as staging:
        keep_recipe(recipe, staging.with_name("recipe.yaml"))
        check_same_rows(staging.parent, task)
        with staging.open("ab+") as file:
            done = _drop_unfinished(file, 1 + recipe.copies)
            progress.start(f"augment by {augmenter.source}", len(labels))
            for text in _in_order(lines, range(done, len(labels)), workers or torch.get_num_threads()):
                file.write(text.encode())
                file.flush()
                done += 1
                progress.advance(done, copies=done * recipe.copies)


def read_augmented(path: Path, task: Task, copies: int) -> Dataset:
    """Read a file that `write_augmented` made of a task without a labeller.

    Args:
        path: The file.
        task: The task.
        copies: How many follow each row.

    Returns:
        The rows and their copies, columns as in `task.train`.
    """
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    texts = {column: [line[column] for line in lines] for column in task.text_columns}
    return rows(texts, np.repeat(task.train["label"], 1 + copies).tolist())


def _label_names(task: Task) -> Mapping[int | float, str]:
    """Name the classes, unless `jsonl:` tasks would then number them in another order."""
    in_order = class_order(task.label_names) == task.label_names
    return dict(enumerate(task.label_names)) if in_order else {}


def _drop_unfinished(file: BinaryIO, group: int) -> int:
    """Cut a file after its last whole group of lines; returns the number of groups."""
    file.seek(0)
    groups = end = position = 0
    for number, line in enumerate(file, 1):
        position += len(line)
        if line.endswith(b"\n") and number % group == 0:
            groups, end = groups + 1, position
    file.truncate(end)
    return groups


def _in_order(work: Callable[[int], str], rows: range, workers: int) -> Iterator[str]:
    """Do rows on threads, a few at a time, so that little is lost when somebody stops."""
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            yield from pool.map(work, rows[start : start + _ROWS_AT_A_TIME])
