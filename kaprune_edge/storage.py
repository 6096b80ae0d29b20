"""Files and folders that a crash leaves whole, or such that it shows: flushed to the disk, then sealed."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path

SEAL = "complete"
"""The file that a sealed folder holds: the sha256 of each of its other files."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write a file or a folder beside its place, flush it, and put it there in one step.

    Yields:
        Where to write. A file takes the place of the one before.
    """
    fresh = path.with_name(f".{path.name}.partial")
    discard(fresh)
    yield fresh
    flush(fresh)
    fresh.replace(path)
    flush_names(path.parent)


def flush(path: Path) -> None:
    """Return once a file, or all that a folder holds, is on the disk and not only in memory."""
    for file in [path] if path.is_file() else _files(path):
        with file.open("rb+" if os.name == "nt" else "rb") as opened:
            os.fsync(opened.fileno())
    if path.is_dir():
        for folder in [path, *(inner for inner in path.rglob("*") if inner.is_dir())]:
            flush_names(folder)


def flush_names(folder: Path) -> None:
    """Flush which files a folder has, where the system can."""
    with suppress(OSError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def seal(path: Path, but: Set[str] = frozenset()) -> None:
    """Mark a file or a folder as whole, last of all that is written to it.

    Args:
        path: What is whole. The seal of a folder lies in it, that of a file beside it.
        but: Names of entries of the folder that do not count. Hidden entries and seals do not either.
    """
    flush(path)
    with whole(_seal(path)) as file:
        file.write_text(json.dumps(_digests(path, but), indent=2) + "\n", encoding="utf-8")


def is_sealed(path: Path) -> bool:
    """Whether a file or a folder was whole once."""
    return _seal(path).exists()


def is_whole(path: Path, but: Set[str] = frozenset()) -> bool:
    """Whether a file or a folder is, bit for bit, what it was when it was sealed."""
    try:
        kept = json.loads(_seal(path).read_bytes())
        return bool(kept) and kept == _digests(path, but)
    except (OSError, ValueError):
        return False


def discard(path: Path) -> None:
    """Delete a file or a folder, seals first, so that a part of it is never taken for the whole."""
    if path.is_dir() and not path.is_symlink():
        for inner in path.rglob(SEAL):
            inner.unlink()
            flush_names(inner.parent)
        shutil.rmtree(path)
    else:
        _seal(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _seal(path: Path) -> Path:
    return path / SEAL if path.is_dir() else path.with_name(f".{path.name}.{SEAL}")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _digests(path: Path, but: Set[str]) -> dict[str, str]:
    """Name -> sha256 of each file that counts."""
    files = [path] if path.is_file() else _files(path)
    digests = {}
    for file in files:
        entry = file.relative_to(path.parent if file == path else path)
        if entry.parts[0] in but or entry.parts[0].startswith(".") or entry.name == SEAL:
            continue
        with file.open("rb") as opened:
            digests[entry.as_posix()] = hashlib.file_digest(opened, "sha256").hexdigest()
    return digests
