"""The folders that are written, a run and a deployment: each appears whole or not at all."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kaprune_runtime.errors import InputError, KapruneError


def check_new(path: Path) -> None:
    """Raise InputError unless `path` is free and its parent can be written to."""
    if path.exists():
        raise InputError(f"{path} exists; choose another --output or delete it")
    nearest = _nearest(path)
    if not nearest.is_dir():
        raise InputError(f"{nearest} is a file; choose another --output")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{nearest} cannot be written to; choose another --output")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a temporary neighbour of `path`, then give it its name.

    Yields:
        The empty temporary folder. It is deleted on any exception, renamed to `path` otherwise.

    Raises:
        InputError: `path` exists already.
        KapruneError: The disk is full or not writable.
    """
    check_new(path)
    staging = _neighbour(path)
    shutil.rmtree(staging, ignore_errors=True)
    with _writable(path):
        staging.mkdir(parents=True)
        try:
            yield staging
            staging.rename(path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def resumable_folder(path: Path, *, resume: bool) -> Iterator[Path]:
    """Like `new_folder`, but an interrupted folder stays for a later call with `resume`.

    Raises:
        InputError: `path` exists, an interrupted run is in the way, or there is none to resume.
        KapruneError: The disk is full or not writable.
    """
    check_resumable(path, resume=resume)
    staging = _neighbour(path)
    with _writable(path):
        staging.mkdir(parents=True, exist_ok=resume)
        yield staging
        staging.rename(path)


def check_resumable(path: Path, *, resume: bool) -> None:
    """Raise the InputError that `resumable_folder` would, before any work is done."""
    check_new(path)
    staging = _neighbour(path)
    if resume and not staging.exists():
        raise InputError(f"no interrupted run for {path}; start it without --resume")
    if not resume and staging.exists():
        raise InputError(f"{path} was interrupted; continue with --resume or delete {staging}")


def interrupted(path: Path) -> Path:
    """Name the folder that holds an unfinished `path`."""
    return _neighbour(path)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write an object as indented JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _neighbour(path: Path) -> Path:
    return path.absolute().with_name(f".{path.absolute().name}.partial")


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except KapruneError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.ENOSPC, errno.EDQUOT) or _is_full(path, error):
            raise KapruneError(f"the disk is full; free some space for {path} and try again") from error
        if number in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise KapruneError(
                f"cannot write {path}: {os.strerror(number)}; choose another --output"
            ) from error
        raise


def _is_full(path: Path, error: Exception) -> bool:
    """Tell for safetensors and torch, which raise no OSError when a file cannot be written."""
    return "No space left" in str(error) or shutil.disk_usage(_nearest(path)).free < 2**16


def _nearest(path: Path) -> Path:
    """Find the closest folder (or file) above `path` that exists."""
    return next(parent for parent in path.absolute().parents if parent.exists())
