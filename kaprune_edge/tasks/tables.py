"""Tasks from the user's own CSV and JSON-lines files."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from datasets import Dataset

from kaprune_edge.tasks.files import read_text
from kaprune_edge.tasks.task import Task, class_ids, rows
from kaprune_runtime.errors import InputError

TEXT_COLUMNS = (
    ("sentence1", "sentence2"),
    ("text_a", "text_b"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text",),
    ("sentence",),
)
"""Column names that are taken for text; the first of these that a file has."""

_Row = tuple[int, Mapping[str, str]]


def load_tables(kind: str, train: Path, evaluation: Path) -> Task:
    """Load a task from two files with one or two text columns and a `label` column.

    Labels that are all whole numbers are classes in numeric order, other numbers are values to regress on,
    and anything else names classes in alphabetic order.

    Args:
        kind: `csv` (with a header) or `jsonl` (an object a line).
        train: The rows to learn from; they define the classes.
        evaluation: The rows to be judged on, same columns.

    Raises:
        InputError: A file is missing, malformed, lacks a column, or has a label that training rows lack.
    """
    read = {"csv": _read_csv, "jsonl": _read_jsonl}[kind]
    train_rows, evaluation_rows = list(read(train)), list(read(evaluation))
    text_columns = _text_columns(train_rows, train)
    train_labels, evaluation_labels = (
        _column(train_rows, "label", train),
        _column(evaluation_rows, "label", evaluation),
    )
    label_names = _label_names(train_labels, evaluation_labels)
    if not label_names:
        metrics: tuple[str, ...] = ("pearson", "spearman")
    else:
        metrics = ("accuracy", "f1") if len(label_names) == 2 else ("accuracy",)

    def table(table_rows: list[_Row], labels: list[str], path: Path) -> Dataset:
        texts = {column: _column(table_rows, column, path) for column in text_columns}
        return rows(
            texts, class_ids(labels, label_names, str(path)) if label_names else [float(x) for x in labels]
        )

    return Task(
        name=f"{kind}:{train.name},{evaluation.name}",
        text_columns=text_columns,
        label_names=label_names,
        train=table(train_rows, train_labels, train),
        evaluation=table(evaluation_rows, evaluation_labels, evaluation),
        metrics=metrics,
    )


def _read_csv(path: Path) -> Iterator[_Row]:
    lines = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = next(lines)
        for line in lines:
            if not line:
                continue
            if len(line) != len(header):
                raise InputError(
                    f"line {lines.line_num} of {path} has {len(line)} columns instead of {len(header)}; "
                    "put texts that hold commas or line breaks in double quotes"
                )
            yield lines.line_num, dict(zip(header, line, strict=True))
    except csv.Error as error:
        raise InputError(f"line {lines.line_num} of {path} is not CSV ({error}); mend its quotes") from error


def _read_jsonl(path: Path) -> Iterator[_Row]:
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(
                f"line {number} of {path} is not JSON ({error.msg}); give an object a line"
            ) from error
        if not isinstance(row, dict):
            raise InputError(f"line {number} of {path} is no JSON object; give an object a line")
        scalars = {key: value for key, value in row.items() if isinstance(value, str | int | float)}
        yield (
            number,
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in scalars.items()},
        )


def _text_columns(table_rows: list[_Row], path: Path) -> tuple[str, ...]:
    present = table_rows[0][1] if table_rows else {}
    for columns in TEXT_COLUMNS:
        if present.keys() >= set(columns):
            return columns
    known = ", ".join("+".join(columns) for columns in TEXT_COLUMNS)
    raise InputError(f"{path} has no text column; name it (or the two of a pair) as one of {known}")


def _column(table_rows: list[_Row], column: str, path: Path) -> list[str]:
    for number, row in table_rows:
        if column not in row or (column == "label" and not row[column].strip()):
            raise InputError(f"line {number} of {path} has no '{column}'; every row needs one")
    values = [row[column] for _, row in table_rows]
    return [value.strip() for value in values] if column == "label" else values


def _label_names(train: list[str], evaluation: list[str]) -> tuple[str, ...]:
    """Name the classes; none if the labels are values."""
    both = train + evaluation
    if all(re.fullmatch(r"[+-]?\d+", label) for label in both):
        return tuple(sorted(set(train), key=int))
    return () if all(map(_is_value, both)) else tuple(sorted(set(train)))


def _is_value(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False
