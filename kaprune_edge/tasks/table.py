"""A table of rows from a user's file: texts and labels by the names of their columns."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kaprune_edge.tasks.labels import check_label
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

_KINDS: Mapping[type, str] = {list: "a list", dict: "an object", bool: "true or false", bytes: "bytes"}


@dataclass(frozen=True)
class Table:
    """The columns of a file.

    Attributes:
        path: The file.
        names: Of the columns, in lower case.
        numbers: Where each row is in the file, from 1.
        values: Gives a column: a value for each row, None where the row has none.
        unit: What `numbers` count.
    """

    path: Path
    names: Sequence[str]
    numbers: Sequence[int]
    values: Callable[[str], Sequence[object]]
    unit: str = "line"

    def text_columns(self) -> tuple[str, ...]:
        """Find the first of `TEXT_COLUMNS` that the table has.

        Raises:
            InputError: It has no rows, or none of them.
        """
        if not self.numbers:
            raise InputError(f"{self.path} has no rows; give a file with rows")
        for columns in TEXT_COLUMNS:
            if all(column in self.names for column in columns):
                return columns
        known = ", ".join("+".join(columns) for columns in TEXT_COLUMNS)
        raise InputError(
            f"{self.path} has no text column, only {self._listed()}; name it by --text-column (twice for "
            f"pairs), or rename it to one of {known}"
        )

    def texts(self, name: str) -> list[str]:
        """Give a column of texts as they are.

        Raises:
            InputError: There is no such column, or a row has no text in it.
        """
        texts = []
        remedy = "name the one with the texts by --text-column, or rename it"
        for place, value in self._column(name, remedy):
            if not isinstance(value, str):
                kind = _KINDS.get(type(value), "a number")
                raise InputError(f"{place} has {kind} for its '{name}'; give a text in quotes")
            texts.append(value)
        return texts

    def labels(self, name: str) -> list[str]:
        """Give a column of labels, white space at their ends aside.

        Raises:
            InputError: There is no such column, or a row has no label or several.
        """
        labels = []
        for place, value in self._column(name, "name the one with the labels by --label-column"):
            if isinstance(value, dict):
                raise InputError(f"{place} has an object for its '{name}'; give one label a row")
            label = json.dumps(value) if isinstance(value, list) else str(value).strip()
            check_label(label, place)
            labels.append(label)
        return labels

    def _column(self, name: str, remedy: str) -> Iterator[tuple[str, object]]:
        """Each row's place, for errors, and value."""
        if name not in self.names:
            raise InputError(f"{self.path} has no column '{name}', only {self._listed()}; {remedy}")
        for number, value in zip(self.numbers, self.values(name), strict=True):
            place = f"{self.unit} {number} of {self.path}"
            if value is None:
                raise InputError(f"{place} has no '{name}'; every row needs one")
            yield place, value

    def _listed(self) -> str:
        return ", ".join(map(repr, self.names))
