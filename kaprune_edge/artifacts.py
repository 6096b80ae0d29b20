"""The folders that are written, a run and a deployment: each appears whole or not at all."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kaprune_edge.processes import on_main
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
        KapruneError: Another process is writing it, or the disk is full or not writable.
    """
    check_new(path)
    with _writable(path), _claimed(path) as staging:
        try:
            _clear(staging)
            yield staging
            staging.rename(path)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


@contextmanager
def resumable_folder(path: Path, *, resume: bool) -> Iterator[Path]:
    """Like `new_folder`, but an interrupted folder stays for a later call with `resume`.

    All processes of a training are given the folder, which the main one makes and renames.

    Raises:
        InputError: `path` exists, an interrupted run is in the way, or there is none to resume.
        KapruneError: Another process is writing it, or the disk is full or not writable.
    """
    on_main(check_resumable)(path, resume=resume)
    with _writable(path), ExitStack() as claim:
        staging = on_main(claim.enter_context)(_claimed(path))
        yield staging
        on_main(staging.rename)(path)


@contextmanager
def resumable_file(path: Path, *, resume: bool) -> Iterator[Path]:
    """Like `resumable_folder`, for a single file.

    Yields:
        Where to write the file; what else is put beside it is deleted in the end.

    Raises:
        InputError: `path` exists, an interrupted run is in the way, or there is none to resume.
        KapruneError: Another process is writing it, or the disk is full or not writable.
    """
    check_resumable(path, resume=resume)
    with _writable(path), _claimed(path) as staging:
        yield staging / path.name
        (staging / path.name).rename(path)
        shutil.rmtree(staging)


def check_resumable(path: Path, *, resume: bool) -> None:
    """Raise the InputError that `resumable_folder` would, before any work is done."""
    check_new(path)
    staging = interrupted(path)
    if resume and not staging.exists():
        raise InputError(f"no interrupted run for {path}; start it without --resume")
    if not resume and staging.exists():
        raise InputError(f"{path} was interrupted; continue with --resume or delete {staging}")


def interrupted(path: Path) -> Path:
    """Name the folder that holds an unfinished `path`."""
    return path.absolute().with_name(f".{path.absolute().name}.partial")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write an object as indented JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _claimed(path: Path) -> Iterator[Path]:
    """Make the temporary neighbour of `path` if need be, and hold it alone.

    The lock is on the folder itself and ends with the process, however that ends.
    """
    staging = interrupted(path)
    staging.mkdir(parents=True, exist_ok=True)
    handle = os.open(staging, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KapruneError(
                f"another process is writing {path}; let it finish or choose another --output"
            ) from error
        except OSError:
            pass  # a file system without locks
        yield staging
    finally:
        os.close(handle)


def _clear(folder: Path) -> None:
    """Delete what a killed process left."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


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
