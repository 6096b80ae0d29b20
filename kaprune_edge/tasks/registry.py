"""From a task's specification to its rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from datasets import Dataset

from kaprune_edge.tasks.columns import USUAL, Columns
from kaprune_edge.tasks.demo import load_movie_reviews
from kaprune_edge.tasks.glue import GLUE, load_glue_from_hub
from kaprune_edge.tasks.glue_files import load_glue_from_folder
from kaprune_edge.tasks.squad import HUB_IDS, load_squad_from_files, load_squad_from_hub
from kaprune_edge.tasks.table_files import KINDS
from kaprune_edge.tasks.tables import load_tables, load_texts
from kaprune_edge.tasks.tagged_files import load_conll2003, load_tagged
from kaprune_edge.tasks.task import Task
from kaprune_runtime.errors import InputError

TEXTS = "texts:"
"""How a specification of texts without labels begins."""

_SUBSET_SEED = 20210418
_FORMS = (
    "glue/NAME, glue/NAME:DIR, csv:FILE or csv:TRAIN,EVAL (also tsv, jsonl, parquet), conll2003, "
    "tags:TRAIN,EVAL, squad, squad_v2, squad:TRAIN,EVAL or demo/movie-reviews"
)


def load_task(spec: str, *, columns: Columns = USUAL, train_rows: int | None = None) -> Task:
    """Load a task.

    Args:
        spec: One of these:

            - `glue/NAME` (from the hub) or `glue/NAME:DIR` (a folder in the layout of the GLUE download)
            - `csv:TRAIN,EVAL` or `csv:FILE`, which is split; `tsv:`, `jsonl:` and `parquet:` likewise
            - `conll2003` (from the hub) or `tags:TRAIN,EVAL`: words with tags
            - `squad`, `squad_v2` (from the hub) or `squad:TRAIN,EVAL` (in their layout)
            - `demo/movie-reviews`
        columns: Of the files of csv, tsv, jsonl and parquet, where their names are not the usual ones.
        train_rows: Keep only so many training rows, the same random ones each time; the task's name says so.

    Raises:
        InputError: The specification is unknown, or its rows are missing, malformed or not enough.
        KapruneError: The rows of `demo/movie-reviews` cannot be fetched.
    """
    if spec.startswith(TEXTS):
        raise InputError(
            f"{spec} has no labels, which only compress with a fine-tuned model can do without; give a task "
            "with labels, such as csv:FILE"
        )
    task = _load(spec, columns)
    if train_rows is not None:
        task = _limit(task, train_rows)
    task.check_rows()
    return task


def load_unlabelled_task(
    spec: str, label_names: Sequence[str], *, columns: Columns, train_rows: int | None
) -> Task:
    """Load a task of texts without labels; see `load_texts`.

    Args:
        spec: `texts:FILE`.
        label_names: The classes that somebody will choose among.
        columns: Of the file, where their names are not the usual ones.
        train_rows: See `load_task`.

    Raises:
        InputError: The file is missing, malformed or of another kind, or has too few rows.
    """
    task = load_texts(_path(spec.removeprefix(TEXTS)), columns, label_names)
    return task if train_rows is None else _limit(task, train_rows)


def _load(spec: str, columns: Columns) -> Task:
    kind, _, paths = spec.partition(":")
    if kind in KINDS:
        return load_tables(kind, _files(spec, paths, or_one=True), columns)
    if columns != USUAL:
        raise InputError(
            f"{spec} has columns of its own; leave out --text-column and --label-column, which name those of "
            f"{', '.join(KINDS)}"
        )
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
    if kind == "tags":
        return load_tagged(*_files(spec, paths))
    if kind == "squad":
        return load_squad_from_files(*_files(spec, paths))
    raise InputError(f"unknown task '{spec}'; use {_FORMS}")


def _files(spec: str, paths: str, *, or_one: bool = False) -> list[Path]:
    """Tell which files a specification names, two or one; names may hold commas."""
    parts = paths.split(",")
    ways = [[",".join(parts[:at]), ",".join(parts[at:])] for at in range(1, len(parts))]
    if or_one:
        ways.append([paths])
    named = [[_path(name) for name in way] for way in ways if all(name.strip() for name in way)]
    found = [way for way in named if all(map(_is_there, way))]
    if len(found) != 1:  # reading what has no other meaning tells which file is missing
        found = [way for way in named if len(way) == len(parts)]
    if len(found) != 1:
        kind = spec.partition(":")[0]
        one, two = f"{kind}:FILE", f"{kind}:TRAIN,EVAL"
        wanted = f"one file or two files, {one} or {two}" if or_one else f"two files, {two}"
        raise InputError(f"'{spec}' must name {wanted}, that are there")
    return found[0]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


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
