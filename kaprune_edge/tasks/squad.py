"""Questions with answers in the layout of SQuAD, from the hub or from the user's own files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value

from kaprune_edge.tasks.answering import AnsweringTask
from kaprune_edge.tasks.files import read_text
from kaprune_edge.tasks.hub import fetch
from kaprune_runtime.errors import InputError

HUB_IDS: Mapping[str, str] = {"squad": "rajpurkar/squad", "squad_v2": "rajpurkar/squad_v2"}

_FEATURES = Features(
    {
        "question": Value("string"),
        "context": Value("string"),
        "answers": List(Value("string")),
        "starts": List(Value("int64")),
    }
)
_SHAPE = '{"data": [{"paragraphs": [{"context": "...", "qas": [{"question": "...", "answers": [...]}]}]}]}'


def load_squad_from_hub(name: str) -> AnsweringTask:
    """Load SQuAD 1.1 or 2.0 (Rajpurkar et al., 2016 and 2018) from the hub, or from its local cache.

    Args:
        name: A key of `HUB_IDS`.

    Raises:
        InputError: The hub cannot be reached and its cache does not hold it.
    """
    splits = fetch(HUB_IDS[name], name, instead="its files: squad:TRAIN,EVAL")
    return _task(name, *(_from_hub(splits[split]) for split in ("train", "validation")))


def load_squad_from_files(train: Path, evaluation: Path) -> AnsweringTask:
    """Load a task from two JSON files in the layout of SQuAD 1.1 or 2.0.

    Args:
        train: The questions to learn from.
        evaluation: The questions to be judged on.

    Raises:
        InputError: A file is missing or malformed, or an answer is not where it is said to be.
    """
    name = f"squad:{train.name},{evaluation.name}"
    return _task(name, *(_table(list(_questions(path))) for path in (train, evaluation)))


def _task(name: str, train: Dataset, evaluation: Dataset) -> AnsweringTask:
    columns = ("question", "context")
    return AnsweringTask(name, columns, ("start", "end"), train, evaluation, ("f1", "exact_match"))


def _from_hub(split: Dataset) -> Dataset:
    return _table(
        [
            (row["question"], row["context"], row["answers"]["text"], row["answers"]["answer_start"])
            for row in split
        ]
    )


def _table(rows: Sequence[tuple[str, str, list[str], list[int]]]) -> Dataset:
    columns = {name: [row[index] for row in rows] for index, name in enumerate(_FEATURES)}
    return Dataset.from_dict(columns, features=_FEATURES)


def _questions(path: Path) -> Iterator[tuple[str, str, list[str], list[int]]]:
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"line {error.lineno} of {path} is not JSON ({error.msg}); give {_SHAPE}") from error
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    yield _question(asked, paragraph["context"], path)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not in SQuAD's layout ({error}); give {_SHAPE}") from error


def _question(asked: Mapping[str, Any], context: str, path: Path) -> tuple[str, str, list[str], list[int]]:
    question = asked["question"]
    told = [] if asked.get("is_impossible") else asked.get("answers", [])
    if not told and not asked.get("is_impossible"):
        raise InputError(
            f'{path}: "{question}" has no answers; give them, or say "is_impossible": true (SQuAD 2.0)'
        )
    for given in told:
        start, text = given["answer_start"], given["text"]
        if not text or start < 0 or context[start : start + len(text)] != text:
            raise InputError(
                f'{path}: the answer "{text}" to "{question}" is not at character {start} of its context; '
                "mend answer_start (it counts characters from 0)"
            )
    return question, context, [given["text"] for given in told], [given["answer_start"] for given in told]
