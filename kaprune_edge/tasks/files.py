"""Reading files that users hand in."""

import codecs
import json
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kaprune_runtime.errors import InputError

PARQUET = b"PAR1"
"""How a Parquet file begins."""
_BEGINNINGS: Mapping[bytes, str] = {
    b"\x1f\x8b": "compressed by gzip; unpack it with gunzip",
    b"BZh9": "compressed by bzip2; unpack it with bunzip2",
    b"\xfd7zXZ\x00": "compressed by xz; unpack it with unxz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it with unzstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it",
    b"PK\x03\x04": "a zip archive or an Excel sheet (.xlsx); unpack it, or save its rows as CSV UTF-8",
    PARQUET: "a Parquet file; end its name in .parquet, or name it parquet:FILE where a task is named",
    b"ARROW1": "an Arrow file; write its rows as CSV or JSON lines, by pandas.read_feather for one",
    b"\xff\xff\xff\xff": "an Arrow stream; write its rows as CSV or JSON lines, by Dataset.to_csv for one",
    b"Obj\x01": "an Avro file; write its rows as CSV or JSON lines",
    b"\xd0\xcf\x11\xe0": "an Excel sheet (.xls) or another Office file; save its rows as CSV UTF-8",
    b"\x89HDF": "an HDF5 file; write its rows as CSV or JSON lines",
    b"\x93NUMPY": "a NumPy array; write its rows as CSV or JSON lines",
    b"SQLite format 3\x00": "an SQLite database; write its rows as CSV or JSON lines",
    b"\x80\x04\x95": "a Python pickle; write its rows as CSV or JSON lines",
    b"%PDF": "a PDF; write its rows as CSV or JSON lines",
    b"version https://git-lfs.github.com/spec/": "a git-lfs pointer; fetch the file with git lfs pull",
    **dict.fromkeys((b"<!DOCTYPE", b"<!doctype", b"<html"), "a web page; download the file itself"),
    codecs.BOM_UTF32_LE: "UTF-32; convert it with iconv -f UTF-32 -t UTF-8",
    codecs.BOM_UTF32_BE: "UTF-32; convert it with iconv -f UTF-32 -t UTF-8",
    codecs.BOM_UTF16_LE: "UTF-16; convert it with iconv -f UTF-16 -t UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16; convert it with iconv -f UTF-16 -t UTF-8",
}
"""How files of other kinds begin, and what to do with them; the first that fits counts."""
_LINE_END = re.compile("\r\n|\r|\n")
_HALF = re.compile(r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]..")
"""Half of a surrogate pair, written as an escape."""


def read_bytes(path: Path, kind: bytes = b"") -> bytes:
    """Read a file as it is.

    Args:
        path: The file.
        kind: First bytes of a file of the right kind; empty for text.

    Raises:
        InputError: There is no such file, or it is unreadable or of another kind.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            other = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise InputError(f"{path} is {other}; give a file")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; check the path") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read {path} ({reason}); check the path") from error
    for beginning, told in _BEGINNINGS.items():
        if beginning != kind and content.startswith(beginning):
            raise InputError(f"{path} is {told}")
    return content


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark, its line ends as they are.

    Raises:
        InputError: There is no such file, or it is empty, unreadable, of another kind or not UTF-8.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"line {_line(content, error.start)} of {path} is not UTF-8; convert the file, by iconv "
            "-f WINDOWS-1252 -t UTF-8 where it is from an older Windows"
        ) from error
    if "\0" in text:
        raise InputError(
            f"line {_line(content, content.index(0))} of {path} holds a NUL byte; delete it, or convert the "
            "file to UTF-8 if it is UTF-16"
        )
    if not text.strip():
        raise InputError(f"{path} is empty; give a file with rows")
    return text


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def lines(text: str) -> list[str]:
    """Cut a text at its line ends, of any system."""
    return _LINE_END.split(text)


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read a JSON object a line, with the line's number from 1; empty lines are skipped.

    Raises:
        InputError: See `read_text` and `parse_json`; or a line is no JSON object.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        raise InputError(
            f"line 1 of {path} is no JSON object but begins a list; give an object a line, by jq -c '.[]'"
        )
    for number, line in enumerate(lines(text), 1):
        if not line.strip():
            continue
        row = parse_json(line, path, "an object a line", first_line=number)
        if not isinstance(row, dict):
            raise InputError(f"line {number} of {path} is no JSON object; give an object a line")
        yield number, row


def parse_json(text: str, path: Path, wanted: str, *, first_line: int = 1) -> Any:
    """Parse JSON; NaN and infinities become None.

    Args:
        text: The JSON.
        path: The file that it is from, for errors.
        wanted: What to give instead, for errors.
        first_line: Where it begins in the file.

    Raises:
        InputError: It is no JSON, or a key is twice in an object, or there is half of a surrogate pair in it.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                raise InputError(f"an object of {path} has '{key}' twice (from line {first_line}); leave one")
            content[key] = value
        return content

    try:
        content = json.loads(text, parse_constant=lambda _: None, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise InputError(f"line {line} of {path} is not JSON ({error.msg}); give {wanted}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"line {first_line} of {path} has numbers too long or lists too deep to read; give {wanted}"
        ) from error
    if half := _HALF.search(text):
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            line = first_line + text.count("\n", 0, half.start())
            raise InputError(
                f"line {line} of {path} holds half of a character "
                f"({half[0][:6]}, a lone surrogate); write the character whole or delete it"
            ) from error
    return content
