"""The outputs of commands: tried before the work, held by one process, and named once they are whole."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kaprune_edge.output_errors import explained, refused
from kaprune_edge.processes import on_main
from kaprune_edge.storage import SEAL, flush, flush_names, whole
from kaprune_runtime.errors import InputError, KapruneError

_LONGEST_NAME = 255
"""Bytes, in the file systems that are common."""

_APPEARED = "move that away, then finish with --resume, which loses nothing"


def check_new(path: Path, *inputs: str | Path | None) -> None:
    """Try an output before the work on it begins; leaves nothing behind.

    Args:
        path: The file or folder to make.
        inputs: What it is made from, none of which it may be.

    Raises:
        InputError: `path` exists or cannot be made.
        KapruneError: Another process is writing it.
    """
    _check_free(path, *inputs)
    with _held(path):
        pass


def check_resumable(path: Path, *inputs: str | Path | None, resume: bool) -> None:
    """Try the output of a command that knows `--resume`, as `check_new` does.

    Raises:
        InputError: `path` cannot be made, an interrupted run is in the way, or there is none to resume.
        KapruneError: Another process is writing it.
    """
    check_new(path, *inputs)
    staging = interrupted(path)
    if resume and not staging.exists():
        raise InputError(f"no interrupted run for {path}; start it without --resume")
    if not resume and os.path.lexists(staging):
        raise InputError(f"{path} was interrupted; continue with --resume or delete {staging}")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a temporary neighbour of `path`, then give it its name.

    Yields:
        The empty temporary folder. It is deleted on any exception, renamed to `path` otherwise.

    Raises:
        InputError: `path` exists already or cannot be made.
        KapruneError: Another process is writing it, it appeared meanwhile, or the disk is full.
    """
    _check_free(path)
    place, staging = path.absolute(), _neighbour(path, "scratch")
    with _held(path), explained(path, staging, "try again"):
        _check_own(staging)
        if staging.exists():  # what a killed process left
            shutil.rmtree(staging)
        staging.mkdir()
        try:
            yield staging
            flush(staging)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _give_name(staging, place, f"the finished folder is {staging}")


@contextmanager
def resumable_folder(path: Path, *, resume: bool) -> Iterator[Path]:
    """Like `new_folder`, but an interrupted folder stays for a later call with `resume`.

    All processes of a training are given the folder, which the main one makes and renames.

    Raises:
        InputError: `path` exists, an interrupted run is in the way, or there is none to resume.
        KapruneError: Another process is writing it, it appeared meanwhile, or the disk is full.
    """
    on_main(check_resumable)(path, resume=resume)
    place = path.absolute()
    with ExitStack() as claim:
        staging = on_main(claim.enter_context)(_kept(path))
        with explained(path, staging, "go on with --resume"):
            yield staging
            on_main(_finish_folder)(staging, place)


@contextmanager
def resumable_file(path: Path, *, resume: bool) -> Iterator[Path]:
    """Like `resumable_folder`, for a single file.

    Yields:
        Where to write the file; what else is put beside it is deleted in the end.

    Raises:
        InputError: `path` exists, an interrupted run is in the way, or there is none to resume.
        KapruneError: Another process is writing it, it appeared meanwhile, or the disk is full.
    """
    check_resumable(path, resume=resume)
    place = path.absolute()
    with _kept(path) as staging, explained(path, staging, "go on with --resume"):
        file = staging / path.name
        yield file
        flush(file)
        _give_name(file, place, _APPEARED)
        shutil.rmtree(staging)


def interrupted(path: Path) -> Path:
    """Name the folder that holds an unfinished `path`."""
    return _neighbour(path, "partial")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write an object as indented JSON, the whole file or nothing."""
    with whole(path) as file:
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def check_temporary_folder() -> None:
    """Raise KapruneError where no temporary files can be written."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise KapruneError(
            "no folder for temporary files can be written to; set TMPDIR to one that can"
        ) from error


def _neighbour(path: Path, kind: str) -> Path:
    """Name a hidden entry beside `path`, no longer than file systems allow."""
    name = path.absolute().name
    beside = f".{name}.{kind}"
    if len(os.fsencode(beside)) > _LONGEST_NAME >= len(os.fsencode(name)):
        beside = f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.{kind}"
    return path.absolute().with_name(beside)


def _check_free(path: Path, *inputs: str | Path | None) -> None:
    """Raise InputError if `path` is no possible name, or taken: a link to nowhere takes it, too."""
    try:
        possible = b"\0" not in os.fsencode(path) and path.absolute().name not in ("", "..")
    except ValueError:
        possible = False
    if not possible and not path.is_dir():
        raise InputError(f"{str(path)!r} is no name for an output; choose another --output")
    if os.path.lexists(path):
        place, here = os.path.realpath(path), Path.cwd().resolve()
        if any(source and os.path.realpath(source) == place for source in inputs):
            raise InputError(f"{path} is what the output is made from; choose another --output")
        around = Path(place) in (here, *here.parents)
        raise InputError(f"{path} exists; choose another --output{'' if around else ' or delete it'}")
    nearest = _nearest(path)
    if not nearest.is_dir():
        what = "a link to nowhere" if nearest.is_symlink() else "a file"
        raise InputError(f"{nearest} is {what}; choose another --output")


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold an output alone, however this process ends; folders on the way that stay empty are removed."""
    made = [folder for folder in path.absolute().parents if not os.path.lexists(folder)]
    lock = FileLock(_neighbour(path, "writing"), timeout=0, fallback_to_soft=False)
    with ExitStack() as ends:
        for folder in reversed(made):
            ends.callback(_remove_if_empty, folder)
        with refused(path, _nearest(path)):
            path.absolute().parent.mkdir(parents=True, exist_ok=True)
            trial = _neighbour(path, "attempt")  # as long as the names of what the work is written to
            trial.mkdir(exist_ok=True)
            _remove_if_empty(trial)
            try:
                ends.enter_context(lock)
            except Timeout as error:
                raise KapruneError(
                    f"another process is writing {path}; let it finish or choose another --output"
                ) from error
            except OSError as error:
                if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
                    raise  # a file system without locks
            ends.callback(_remove_lock, _neighbour(path, "writing"))
        yield


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _remove_lock(file: Path) -> None:
    with suppress(OSError):  # Windows removes it on its release
        file.unlink()


@contextmanager
def _kept(path: Path) -> Iterator[Path]:
    """Hold the folder of an unfinished `path`, which stays unless it is empty."""
    staging = interrupted(path)
    with _held(path):
        with refused(path, staging.parent):
            _check_own(staging)
            staging.mkdir(exist_ok=True)
        try:
            yield staging
        finally:
            _remove_if_empty(staging)


def _check_own(staging: Path) -> None:
    """Raise InputError where somebody else put a folder or a link in the way."""
    if not os.path.lexists(staging):
        return
    with tempfile.TemporaryFile(dir=staging.parent) as mine:  # root may be another user on a network drive
        owner = os.fstat(mine.fileno()).st_uid
    if staging.is_symlink() or not staging.is_dir() or staging.stat().st_uid != owner:
        raise InputError(f"{staging} is not a folder of yours; choose another --output")


def _finish_folder(staging: Path, place: Path) -> None:
    flush(staging)
    _give_name(staging, place, _APPEARED)
    (place / SEAL).unlink(missing_ok=True)  # what seals an unfinished folder that only lacks its name


def _give_name(staging: Path, place: Path, remedy: str) -> None:
    """Rename what is whole to `place`, which is never replaced."""
    try:
        if os.path.lexists(place):
            raise FileExistsError(place)
        if staging.is_dir():
            staging.rename(place)  # fails over anything but an empty folder
        else:
            _move_file(staging, place)
    except OSError as error:
        if not os.path.lexists(place) or not staging.exists():
            raise
        raise KapruneError(f"{place} appeared meanwhile and stays as it is; {remedy}") from error
    flush_names(place.parent)


def _move_file(file: Path, place: Path) -> None:
    """Rename a file; unlike `rename`, fail where `place` exists."""
    try:
        os.link(file, place)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        place.open("xb").close()
        file.replace(place)
    else:
        file.unlink()


def _nearest(path: Path) -> Path:
    """Find the closest folder (or file) above `path` that exists."""
    return next(parent for parent in path.absolute().parents if os.path.lexists(parent))
