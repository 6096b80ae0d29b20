"""What a user is told where an output cannot be written."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaprune_runtime.errors import InputError, KapruneError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_WRITERS = ("Error while serializing", "PytorchStreamWriter", "unexpected pos", "iostream error")
"""How safetensors and PyTorch, which raise no OSError, tell that they could not write a file."""


@contextmanager
def refused(path: Path, nearest: Path) -> Iterator[None]:
    """Turn errors of trying an output, before the work, into InputErrors.

    Args:
        path: The output.
        nearest: The closest folder above it that exists.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            message = f"the disk is full; free some space for {path} and try again"
        elif error.errno in _FORBIDDEN:
            message = f"{nearest} cannot be written to; choose another --output"
        elif error.errno == errno.ENAMETOOLONG:
            message = f"the name of {path} is too long; choose a shorter --output"
        else:
            message = f"cannot make {path} ({error.strerror or error}); choose another --output"
        raise InputError(message) from error


@contextmanager
def explained(path: Path, staging: Path, remedy: str) -> Iterator[None]:
    """Turn errors of writing an output into KapruneErrors; others pass.

    Args:
        path: The output.
        staging: Where it is written until it is whole.
        remedy: What to do once the cause is gone.
    """
    try:
        yield
    except KapruneError:
        raise
    except Exception as error:
        cause = _cause(path, staging, error)
        if cause is None:
            raise
        raise KapruneError(f"{cause}{remedy}") from error


def _cause(path: Path, staging: Path, error: Exception) -> str | None:
    """Name the cause of an error that comes from writing, and begin the sentence of what to do."""
    number = error.errno if isinstance(error, OSError) else None
    if not staging.parent.is_dir():
        return f"{staging.parent} was moved or deleted while {path.name} was made in it; "
    if number in _FULL or _says(error, "No space left") or _says(error, "quota exceeded"):
        return f"the disk is full; free some space for {path} and "
    if number == errno.EFBIG or _says(error, "File too large"):
        return f"cannot write {path}: its file would be larger than allowed; raise the limit (ulimit -f) and "
    if isinstance(error, OSError) and number is not None:
        if number == errno.ENOENT or not _is_within(staging, error):
            return None
        return f"cannot write {path}: {os.strerror(number)}; choose another --output or mend that, then "
    if any(_says(error, writer) for writer in _WRITERS):
        if shutil.disk_usage(staging.parent).free < 2**20:
            return f"the disk is full; free some space for {path} and "
        return f"cannot write {path}: a file was cut short; look for a quota or a limit (ulimit -f) and "
    return None


def _says(error: Exception, words: str) -> bool:
    return words in str(error)


def _is_within(staging: Path, error: OSError) -> bool:
    """Whether an error names a file of the output, or none and can only come from writing."""
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)]
    if not names:
        return error.errno in _FORBIDDEN
    return any(Path(name).is_relative_to(staging.parent) for name in names)
