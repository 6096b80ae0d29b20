"""Reading text files that users hand in."""

from pathlib import Path

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
        raise InputError(f"{path} is empty; give a file with labelled rows")
    return text
