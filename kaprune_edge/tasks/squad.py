"""Questions with answers in the layout of SQuAD, from the hub or from the user's own files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value

from kaprune_edge.tasks.answering import AnsweringTask
from kaprune_edge.tasks.files import parse_json, read_text
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
    content = parse_json(read_text(path), path, _SHAPE)
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    yield _question(asked, paragraph["context"], str(content.get("version", "")), path)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not in SQuAD's layout ({error}); give {_SHAPE}") from error


def _question(
    asked: Mapping[str, Any], context: str, version: str, path: Path
) -> tuple[str, str, list[str], list[int]]:
    question, told = asked["question"], asked.get("answers", [])
    if not isinstance(question, str) or not isinstance(context, str):
        raise InputError(f"{path} has a question or context that is no text; give {_SHAPE}")
    place = f'{path}: "{question}"'
    impossible = asked.get("is_impossible", version.startswith("v2") and "answers" in asked and not told)
    if not isinstance(impossible, bool):
        raise InputError(f"{place} has is_impossible {impossible!r}; write true or false")
    if not isinstance(told, list) or not all(isinstance(given, dict) for given in told):
        raise InputError(f'{place} has answers that are no list; give [{{"text": ..., "answer_start": ...}}]')
    if impossible == bool(told):
        raise InputError(
            f"{place} has answers and is_impossible; leave one of them out"
            if told
            else f'{place} has no answers; give them, or say "is_impossible": true (SQuAD 2.0)'
        )
    for given in told:
        _check_answer(given["text"], given["answer_start"], context, f'to "{question}" in {path}')
    return question, context, [given["text"] for given in told], [given["answer_start"] for given in told]


def _check_answer(text: object, start: object, context: str, of: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"an answer {of} is {json.dumps(text)}; give a text with words")
    if not isinstance(start, int) or isinstance(start, bool):
        raise InputError(f'answer_start of "{text}" {of} is {json.dumps(start)}; give a whole number')
    if start < 0 or context[start : start + len(text)] != text:
        raise InputError(
            f'the answer "{text}" {of} is not at character {start} of its context; mend answer_start (it '
            "counts characters from 0, not bytes or UTF-16 units)"
        )
