"""Reading text files that users hand in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kaprune_runtime.errors import InputError


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark, its line ends as they are.

    Raises:
        InputError: There is no such file, or it is empty, unreadable or not UTF-8.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}); check the path") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line} of {path} is not UTF-8; convert the file to UTF-8") from error
    if not text.strip():
        raise InputError(f"{path} is empty; give a file with rows")
    return text


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read a JSON object a line, with the line's number from 1; empty lines are skipped.

    Raises:
        InputError: See `read_text`; or a line is no JSON object.
    """
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=lambda _: None)
        except json.JSONDecodeError as error:
            raise InputError(
                f"line {number} of {path} is not JSON ({error.msg}); give an object a line"
            ) from error
        if not isinstance(row, dict):
            raise InputError(f"line {number} of {path} is no JSON object; give an object a line")
        yield number, row
