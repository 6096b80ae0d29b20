"""From a task's specification to its rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from datasets import Dataset

from kaprune_edge.tasks.demo import load_movie_reviews
from kaprune_edge.tasks.glue import GLUE, load_glue_from_hub
from kaprune_edge.tasks.glue_files import load_glue_from_folder
from kaprune_edge.tasks.squad import HUB_IDS, load_squad_from_files, load_squad_from_hub
from kaprune_edge.tasks.tables import load_tables
from kaprune_edge.tasks.tagged_files import load_conll2003, load_tagged
from kaprune_edge.tasks.task import Task
from kaprune_runtime.errors import InputError

_SUBSET_SEED = 20210418
_FORMS = (
    "glue/NAME, glue/NAME:DIR, csv:TRAIN,EVAL, jsonl:TRAIN,EVAL, conll2003, tags:TRAIN,EVAL, "
    "squad, squad_v2, squad:TRAIN,EVAL or demo/movie-reviews"
)


def load_task(spec: str, *, train_rows: int | None = None) -> Task:
    """Load a task.

    Args:
        spec: `glue/NAME` (from the hub), `glue/NAME:DIR` (a folder in the layout of the GLUE download),
            `csv:TRAIN,EVAL`, `jsonl:TRAIN,EVAL`, `conll2003` (from the hub), `tags:TRAIN,EVAL` (words with
            tags), `squad` or `squad_v2` (from the hub), `squad:TRAIN,EVAL` (their
            layout) or `demo/movie-reviews`.
        train_rows: Keep only so many training rows, the same random ones each time; the task's name says so.

    Raises:
        InputError: The specification is unknown, or its rows are missing, malformed or not enough.
        KapruneError: The rows of `demo/movie-reviews` cannot be fetched.
    """
    task = _load(spec)
    if train_rows is not None:
        task = _limit(task, train_rows)
    task.check_rows()
    return task


def _load(spec: str) -> Task:
    if spec == "demo/movie-reviews":
        return load_movie_reviews()
    if spec.startswith("glue/"):
        name, colon, folder = spec.removeprefix("glue/").partition(":")
        if name not in GLUE:
            raise InputError(f"GLUE has no task '{name}'; its tasks are {', '.join(GLUE)}")
        return load_glue_from_folder(name, _path(folder)) if colon else load_glue_from_hub(name)
    if spec == "conll2003":
        return load_conll2003()
    if spec in HUB_IDS:
        return load_squad_from_hub(spec)
    kind, _, paths = spec.partition(":")
    if kind in {"csv", "jsonl"}:
        return load_tables(kind, *_two_files(spec, paths))
    if kind == "tags":
        return load_tagged(*_two_files(spec, paths))
    if kind == "squad":
        return load_squad_from_files(*_two_files(spec, paths))
    raise InputError(f"unknown task '{spec}'; use {_FORMS}")


def _two_files(spec: str, paths: str) -> tuple[Path, Path]:
    parts = paths.split(",")
    cuts = [(",".join(parts[:at]), ",".join(parts[at:])) for at in range(1, len(parts))]
    pairs = [
        (_path(train), _path(evaluation))
        for train, evaluation in cuts
        if train.strip() and evaluation.strip()
    ]
    if len(parts) > 2:
        pairs = [pair for pair in pairs if all(path.exists() for path in pair)]
    if len(pairs) != 1:
        kind = spec.partition(":")[0]
        raise InputError(f"'{spec}' must name two files, {kind}:TRAIN,EVAL, that are there")
    return pairs[0]


def _path(name: str) -> Path:
    try:
        return Path(name.strip()).expanduser()
    except RuntimeError as error:
        raise InputError(f"there is no home folder for {name}; give the whole path") from error


def _limit(task: Task, train_rows: int) -> Task:
    available = len(task.train)
    if not 1 <= train_rows <= available:
        raise InputError(
            f"{task.name} has {available} training rows, not {train_rows}; ask for 1 to {available}"
        )
    kept = np.random.default_rng(_SUBSET_SEED).permutation(available)[:train_rows]
    train = Dataset.from_dict(task.train[np.sort(kept)], features=task.train.features)
    return replace(task, name=f"{task.name} ({train_rows} of {available} training rows)", train=train)
