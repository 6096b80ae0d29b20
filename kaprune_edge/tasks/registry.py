"""From a task's specification to its rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from datasets import Dataset

from kaprune_edge.tasks.demo import load_movie_reviews
from kaprune_edge.tasks.glue import GLUE, load_glue_from_hub
from kaprune_edge.tasks.glue_files import load_glue_from_folder
from kaprune_edge.tasks.tables import load_tables
from kaprune_edge.tasks.task import Task
from kaprune_runtime.errors import InputError

_SUBSET_SEED = 20210418
_FORMS = "glue/NAME, glue/NAME:DIR, csv:TRAIN,EVAL, jsonl:TRAIN,EVAL or demo/movie-reviews"


def load_task(spec: str, *, train_rows: int | None = None) -> Task:
    """Load a task.

    Args:
        spec: `glue/NAME` (from the hub), `glue/NAME:DIR` (a folder in the layout of the GLUE download),
            `csv:TRAIN,EVAL`, `jsonl:TRAIN,EVAL` or `demo/movie-reviews`.
        train_rows: Keep only so many training rows, the same random ones each time; the task's name says so.

    Raises:
        InputError: The specification is unknown, or its rows are missing, malformed or not enough.
        KapruneError: The rows of `demo/movie-reviews` cannot be fetched.
    """
    task = _load(spec)
    if train_rows is not None:
        task = _limit(task, train_rows)
    _check(task)
    return task


def _load(spec: str) -> Task:
    if spec == "demo/movie-reviews":
        return load_movie_reviews()
    if spec.startswith("glue/"):
        name, colon, folder = spec.removeprefix("glue/").partition(":")
        if name not in GLUE:
            raise InputError(f"GLUE has no task '{name}'; its tasks are {', '.join(GLUE)}")
        return load_glue_from_folder(name, Path(folder).expanduser()) if colon else load_glue_from_hub(name)
    kind, _, paths = spec.partition(":")
    if kind in {"csv", "jsonl"}:
        files = paths.split(",")
        if len(files) != 2 or not all(files):
            raise InputError(f"'{spec}' must name two files, {kind}:TRAIN,EVAL, whose paths hold no comma")
        return load_tables(kind, *(Path(file).expanduser() for file in files))
    raise InputError(f"unknown task '{spec}'; use {_FORMS}")


def _limit(task: Task, train_rows: int) -> Task:
    available = len(task.train)
    if not 1 <= train_rows <= available:
        raise InputError(
            f"{task.name} has {available} training rows, not {train_rows}; ask for 1 to {available}"
        )
    kept = np.random.default_rng(_SUBSET_SEED).permutation(available)[:train_rows]
    train = Dataset.from_dict(task.train[np.sort(kept)], features=task.train.features)
    return replace(task, name=f"{task.name} ({train_rows} of {available} training rows)", train=train)


def _check(task: Task) -> None:
    """Refuse rows from which nothing can be learned or judged."""
    for part, split in (("training", task.train), ("evaluation", task.evaluation)):
        if not len(split):
            raise InputError(f"{task.name} has no {part} rows; give a file with labelled rows")
    if len(set(task.train["label"])) < 2:
        raise InputError(
            f"the training rows of {task.name} all have the same label; give rows of every class"
        )
