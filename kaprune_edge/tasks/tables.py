"""Tasks, and texts without labels, from the user's own CSV and JSON-lines files."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from kaprune_edge.tasks.files import lines, read_json_lines, read_text
from kaprune_edge.tasks.labels import check_label, read_labels
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

_Row = Mapping[str, object]
_NAMES: Mapping[str, str] = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""The delimiters of CSV; in doubt the first."""
_LONGEST_FIELD = 2**31 - 1
_JSON_KINDS = {list: "a list", dict: "an object", bool: "true or false"}


@dataclass(frozen=True)
class _Table:
    """The rows of a file, by line number; names of columns are in lower case."""

    path: Path
    rows: dict[int, _Row]

    def texts(self, name: str) -> list[str]:
        """A column of texts as they are."""
        texts = []
        for place, value in self._column(name):
            if not isinstance(value, str):
                kind = _JSON_KINDS.get(type(value), "a number")
                raise InputError(f"{place} has {kind} for its '{name}'; give a text in quotes")
            texts.append(value)
        return texts

    def labels(self) -> list[str]:
        """The column of labels, white space at their ends aside."""
        labels = []
        for place, value in self._column("label"):
            if isinstance(value, dict):
                raise InputError(f"{place} has an object for its 'label'; give one label a row")
            label = json.dumps(value) if isinstance(value, list) else str(value).strip()
            check_label(label, place)
            labels.append(label)
        return labels

    def text_columns(self) -> tuple[str, ...]:
        """The first of `TEXT_COLUMNS` that the table has."""
        if not self.rows:
            raise InputError(f"{self.path} has no rows; give a file with labelled rows")
        names = self._names()
        for columns in TEXT_COLUMNS:
            if all(column in names for column in columns):
                return columns
        known = ", ".join("+".join(columns) for columns in TEXT_COLUMNS)
        raise InputError(
            f"{self.path} has no text column, only {', '.join(map(repr, names))}; name it (or the two of a "
            f"pair) as one of {known}"
        )

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))

    def _column(self, name: str) -> Iterator[tuple[str, object]]:
        """Each row's place, for errors, and value."""
        names = self._names()
        if names and name not in names:
            raise InputError(
                f"{self.path} has no column '{name}', only {', '.join(map(repr, names))}; rename the one "
                f"with the {name}s"
            )
        for line, row in self.rows.items():
            if row.get(name) is None:
                raise InputError(f"line {line} of {self.path} has no '{name}'; every row needs one")
            yield f"line {line} of {self.path}", row[name]


def load_tables(kind: str, train: Path, evaluation: Path) -> Task:
    """Load a task from two files with one or two text columns and a `label` column.

    See `read_labels` for what labels are.

    Args:
        kind: `csv` (with a header) or `jsonl` (an object a line).
        train: The rows to learn from; they define the classes.
        evaluation: The rows to be judged on, same columns.

    Raises:
        InputError: A file is missing or malformed, lacks a column, or has a label that training rows lack.
    """
    tables = [_Table(path, dict(_READERS[kind](path))) for path in (train, evaluation)]
    text_columns = tables[0].text_columns()
    texts = [{column: table.texts(column) for column in text_columns} for table in tables]
    name = f"{kind}:{train.name},{evaluation.name}"
    names, *labels = read_labels(tables[0].labels(), tables[1].labels(), name)
    targets = [
        class_ids(column, names, str(table.path)) if names else [float(label) for label in column]
        for column, table in zip(labels, tables, strict=True)
    ]
    metrics = ("accuracy",) if names else ("pearson", "spearman")
    return Task(
        name=name,
        text_columns=text_columns,
        label_names=names,
        train=rows(texts[0], targets[0]),
        evaluation=rows(texts[1], targets[1]),
        metrics=(*metrics, "f1") if len(names) == 2 else metrics,
    )


def read_unlabelled(path: Path, task: Task) -> Dataset:
    """Read texts without labels that a task's student may learn its teacher's answers on.

    Args:
        path: `.csv`, `.tsv`, `.jsonl` or `.json` with the task's text columns; any other file has a text a
            line.
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
    if kind := _ENDINGS.get(path.suffix.lower()):
        table = _Table(path, dict(_READERS[kind](path)))
        texts = {column: table.texts(column) for column in task.text_columns}
    elif len(task.text_columns) == 1:
        texts = {task.text_columns[0]: [line.strip() for line in lines(read_text(path)) if line.strip()]}
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
    csv.field_size_limit(_LONGEST_FIELD)
    text = read_text(path)
    form = _form(text)
    file = csv.reader(io.StringIO(text, newline=""), strict=True, **form)
    line = 0
    try:
        header = _names_of_columns(next(filter(None, file)), path)
        line = file.line_num
        for row in file:
            first, line = line + 1, file.line_num
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(
                    f"line {first} of {path} has {len(row)} columns instead of {len(header)}; "
                    f"put texts that hold {_NAMES[form['delimiter']]} or line breaks in double quotes"
                )
            if form["delimiter"] == "\t" and any({*"\t\n"} <= {*field} for field in row):
                raise InputError(
                    f"line {first} of {path} begins a quoted text of tabs and line breaks; put texts that "
                    "begin with a quote in double quotes, and double the quotes in them"
                )
            yield first, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise InputError(
            f"the row that begins on line {line + 1} of {path} is not CSV ({error}); mend its quotes"
        ) from error


def _form(text: str) -> dict[str, Any]:
    """Tell a file's delimiter by its header, and whether spaces follow it."""
    header = lines(text.lstrip())[0]
    forms = [{"delimiter": delimiter, "skipinitialspace": f"{delimiter} " in header} for delimiter in _NAMES]
    known = {"label", *(column for columns in TEXT_COLUMNS for column in columns)}

    def names(form: dict[str, Any]) -> list[str]:
        return [name.strip().lower() for name in next(csv.reader([header], **form))]

    return max(forms, key=lambda form: (sum(name in known for name in names(form)), len(names(form))))


def _names_of_columns(names: list[str], path: Path) -> list[str]:
    header = [name.strip().lower() for name in names]
    for name in header:
        if name and header.count(name) > 1:
            raise InputError(f"{path} has two columns '{name}'; leave one, or rename one")
    return header


def _read_jsonl(path: Path) -> Iterator[tuple[int, _Row]]:
    for number, row in read_json_lines(path):
        yield number, dict(zip(_names_of_columns(list(row), path), row.values(), strict=True))


_READERS: Mapping[str, Callable[[Path], Iterator[tuple[int, _Row]]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
}
_ENDINGS: Mapping[str, str] = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".json": "jsonl"}
