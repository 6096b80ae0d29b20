r"""What is written to standard output and standard error: nothing in it can steer a terminal.

| written by | text | control characters, bidi marks, line separators |
| --- | --- | --- |
| `say`, `complain`, `note` | as it is | shown, such as \x1b and \u202e |
| `to_json` | as it is, where the encoding can hold it | escaped as JSON does |
"""

import json
import re
import shlex
import sys
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

from kaprune_runtime.errors import KapruneError

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of characters that steer or reorder what is shown, or that show nothing."""

_JOINERS = "\u200c\u200d"
"""Of category Cf, but part of the spelling of words and of emoji."""


def visible(text: str) -> str:
    """Show the characters that a terminal would obey, or hide."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(one) if _is_unseen(one) else one for one in text)


def quoted(*words: str | Path) -> str:
    """Write a command that a shell reads as these words, with nothing unseen in it."""
    return " ".join(map(_quoted, words))


def to_json(content: Any, *, indent: int | None = None) -> str:
    """Write JSON that standard output can hold, and that a terminal does not obey.

    Raises:
        KapruneError: A number is not finite.
    """
    try:
        text = json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False)
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent)
    except ValueError as error:
        raise KapruneError("the result has a number that is not finite; check the model") from error
    return re.sub(r"[^ -~\n]", lambda found: _escaped(found[0]), text)


def say(line: str) -> None:
    """Print a line of a result."""
    write(visible(line) + "\n")


def write(text: str) -> None:
    """Write to standard output what holds nothing unseen.

    Raises:
        KapruneError: It cannot be written.
        BrokenPipeError: Nobody reads it any more.
    """
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise KapruneError(unwritable(error)) from error


def unwritable(error: OSError) -> str:
    """Say that standard output failed."""
    return f"cannot write to standard output: {error.strerror}; redirect it to another place"


def note(line: str) -> None:
    """Print a line on standard error; where that is broken, the work goes on."""
    with suppress(OSError):
        print(visible(line), file=sys.stderr)


def complain(message: str) -> None:
    """Print an error."""
    note(f"error: {message}")


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN and character not in _JOINERS


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python could not decode
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return character.encode("unicode_escape").decode("ascii")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if _is_unseen(character) else character


def _quoted(word: str | Path) -> str:
    text = f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word)
    if visible(text) == text:
        return shlex.quote(text)
    return "$'{}'".format(visible(text.replace("\\", "\\\\").replace("'", "\\'")))
