"""The kinds of files that hold tables: CSV, TSV, JSON lines, Parquet."""

import csv
import io
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from kaprune_edge.tasks.columns import LABEL
from kaprune_edge.tasks.files import PARQUET, lines, read_bytes, read_json_lines, read_text
from kaprune_edge.tasks.table import TEXT_COLUMNS, Table
from kaprune_runtime.errors import InputError

ENDINGS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
"""The kind of file that the end of a name tells."""

_NAMES: Mapping[str, str] = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""The delimiters of CSV; in doubt the first."""
_USUAL = frozenset({LABEL, *(column for columns in TEXT_COLUMNS for column in columns)})
_LONGEST_FIELD = 2**31 - 1


def read_table(kind: str, path: Path, named: Collection[str] = ()) -> Table:
    """Read a file of rows.

    Args:
        kind: `csv` or `tsv` (with a header), `jsonl` (an object a line) or `parquet`.
        path: The file.
        named: Columns that it should have beside the usual ones, to tell the delimiter of CSV by.

    Raises:
        InputError: The file is missing, of another kind or malformed, or has two columns of one name.
    """
    return _READERS[kind](path, {*_USUAL, *named})


def _read_csv(path: Path, known: Collection[str], delimiters: str = ",;\t") -> Table:
    csv.field_size_limit(_LONGEST_FIELD)
    text = read_text(path)
    form = _form(text, known, delimiters)
    file = csv.reader(io.StringIO(text, newline=""), strict=True, **form)
    line, rows = 0, {}
    try:
        header = _check_names(next(filter(None, file)), path)
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
            rows[first] = row
    except csv.Error as error:
        raise InputError(
            f"the row that begins on line {line + 1} of {path} is not CSV ({error}); mend its quotes"
        ) from error

    def values(name: str) -> list[str]:
        at = header.index(name)
        return [row[at] for row in rows.values()]

    return Table(path, header, list(rows), values)


def _form(text: str, known: Collection[str], delimiters: str) -> dict[str, Any]:
    """Tell a file's delimiter by its header, and whether spaces follow it."""
    header = lines(text.lstrip())[0]
    forms = [{"delimiter": each, "skipinitialspace": f"{each} " in header} for each in delimiters]

    def names(form: dict[str, Any]) -> list[str]:
        return [name.strip().lower() for name in next(csv.reader([header], **form))]

    return max(forms, key=lambda form: (sum(name in known for name in names(form)), len(names(form))))


def _read_jsonl(path: Path, known: Collection[str]) -> Table:
    rows = {
        number: dict(zip(_check_names(list(row), path), row.values(), strict=True))
        for number, row in read_json_lines(path)
    }
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    return Table(path, names, list(rows), lambda name: [row.get(name) for row in rows.values()])


def _read_parquet(path: Path, known: Collection[str]) -> Table:
    content = read_bytes(path, PARQUET)
    try:
        file = ParquetFile(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is no Parquet file, or is cut short; copy it again") from error
    header = file.schema_arrow.names
    names = _check_names(header, path)

    def values(name: str) -> list[object]:
        """Read this column alone; others may be large."""
        own = header[names.index(name)]
        try:
            column: list[object] = file.read([own]).column(own).to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"column '{name}' of {path} is damaged; copy the file again") from error
        return column

    return Table(path, names, range(1, file.metadata.num_rows + 1), values, unit="row")


def _check_names(names: Collection[str], path: Path) -> list[str]:
    """Give names of columns without case and white space; raise InputError if two are equal."""
    header = [name.strip().lower() for name in names]
    for name in header:
        if name and header.count(name) > 1:
            raise InputError(f"{path} has two columns '{name}'; leave one, or rename one")
    return header


_READERS: Mapping[str, Callable[[Path, Collection[str]], Table]] = {
    "csv": _read_csv,
    "tsv": partial(_read_csv, delimiters="\t"),
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
}
KINDS = tuple(_READERS)
"""Of tables, as specifications of tasks call them."""
