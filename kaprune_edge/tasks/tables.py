"""Tasks, and texts without labels, from the user's own CSV and JSON-lines files."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from kaprune_edge.tasks.files import read_json_lines, read_text
from kaprune_edge.tasks.task import Task, class_ids, rows
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT

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

_Row = Mapping[str, str]


@dataclass(frozen=True)
class _Table:
    """The rows of a file, by line number."""

    path: Path
    rows: dict[int, _Row]

    def column(self, name: str) -> list[str]:
        for line, row in self.rows.items():
            if name not in row:
                raise InputError(f"line {line} of {self.path} has no '{name}'; every row needs one")
        return [row[name] for row in self.rows.values()]

    def labels(self) -> list[str]:
        labels = [label.strip() for label in self.column("label")]
        for line, label in zip(self.rows, labels, strict=True):
            if not label:
                raise InputError(f"line {line} of {self.path} has no label; label it or leave it out")
        return labels

    def text_columns(self) -> tuple[str, ...]:
        if not self.rows:
            raise InputError(f"{self.path} has no rows; give a file with labelled rows")
        names = next(iter(self.rows.values())).keys()
        for columns in TEXT_COLUMNS:
            if names >= set(columns):
                return columns
        known = ", ".join("+".join(columns) for columns in TEXT_COLUMNS)
        raise InputError(f"{self.path} has no text column; name it (or the two of a pair) as one of {known}")


def load_tables(kind: str, train: Path, evaluation: Path) -> Task:
    """Load a task from two files with one or two text columns and a `label` column.

    Labels that are all whole numbers are classes in numeric order, other numbers are values to regress on,
    and anything else names classes in alphabetic order.

    Args:
        kind: `csv` (with a header) or `jsonl` (an object a line).
        train: The rows to learn from; they define the classes.
        evaluation: The rows to be judged on, same columns.

    Raises:
        InputError: A file is missing or malformed, lacks a column, or has a label that training rows lack.
    """
    tables = [_Table(path, dict(_READERS[kind](path))) for path in (train, evaluation)]
    text_columns = tables[0].text_columns()
    texts = [{column: table.column(column) for column in text_columns} for table in tables]
    labels = [table.labels() for table in tables]
    names = label_names(*labels)
    targets = [
        class_ids(column, names, str(table.path)) if names else [float(label) for label in column]
        for column, table in zip(labels, tables, strict=True)
    ]
    metrics = ("accuracy",) if names else ("pearson", "spearman")
    return Task(
        name=f"{kind}:{train.name},{evaluation.name}",
        text_columns=text_columns,
        label_names=names,
        train=rows(texts[0], targets[0]),
        evaluation=rows(texts[1], targets[1]),
        metrics=(*metrics, "f1") if len(names) == 2 else metrics,
    )


def read_unlabelled(path: Path, task: Task) -> Dataset:
    """Read texts without labels that a task's student may learn its teacher's answers on.

    Args:
        path: `.csv` or `.jsonl` with the task's text columns; any other file has a text a line.
        task: Says what its text columns are.

    Returns:
        Rows as in `task.train`, all of the same label.

    Raises:
        InputError: The file is missing, malformed or empty, or the task wants another kind of texts.
    """
    if task.kind != TEXT:
        raise InputError(
            f"{task.name} has answers inside its texts; give unlabelled texts to a task that classifies "
            "whole texts"
        )
    if read := _READERS.get(path.suffix.removeprefix(".")):
        table = _Table(path, dict(read(path)))
        texts = {column: table.column(column) for column in task.text_columns}
    elif len(task.text_columns) == 1:
        texts = {task.text_columns[0]: [line.strip() for line in read_text(path).split("\n") if line.strip()]}
    else:
        raise InputError(
            f"{task.name} has pairs of texts; give a .csv or .jsonl file with "
            f"{' and '.join(task.text_columns)} in place of {path}"
        )
    count = len(texts[task.text_columns[0]])
    if not count:
        raise InputError(f"{path} has no rows; give a file with texts")
    return rows(texts, [0.0 if task.is_regression else 0] * count)


def _read_csv(path: Path) -> Iterator[tuple[int, _Row]]:
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


def _read_jsonl(path: Path) -> Iterator[tuple[int, _Row]]:
    for number, row in read_json_lines(path):
        scalars = {key: value for key, value in row.items() if isinstance(value, str | int | float)}
        yield number, {key: value if isinstance(value, str) else str(value) for key, value in scalars.items()}


_READERS: Mapping[str, Callable[[Path], Iterator[tuple[int, _Row]]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
}


def label_names(train: Sequence[str], evaluation: Sequence[str]) -> tuple[str, ...]:
    """Name the classes in the order of their ids; none if the labels are values.

    Raises:
        InputError: Some labels are values and some are not.
    """
    labels = {*train, *evaluation}
    whole = {label for label in labels if re.fullmatch(r"[+-]?\d+", label)}
    numbers = {label for label in labels if _is_number(label)}
    if labels == whole:
        return tuple(sorted(set(train), key=int))
    if labels == numbers:
        return ()
    if numbers - whole:
        value, word = min(numbers - whole), min(labels - numbers)
        raise InputError(
            f"labels mix values such as {value} with '{word}'; make them all values or all classes"
        )
    return tuple(sorted(set(train)))


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False
