"""What a device is brought besides deployments: the runtime, and what is compiled for its processor."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import kaprune_runtime
from kaprune_edge.elf import is_for
from kaprune_runtime import KapruneError, library_path
from kaprune_runtime.errors import InputError

LIBRARY = "libkaprune.so"
_RUNNER = "kaprune-runner"


def runtime_files(library: bytes) -> dict[str, bytes]:
    """Give the runtime's files by their path, with a library in their midst."""
    package = Path(kaprune_runtime.__file__).parent
    files = {f"{package.name}/{path.name}": path.read_bytes() for path in package.glob("*.py")}
    return files | {f"{package.name}/{LIBRARY}": library}


def find_library(machine: str, chosen: Path | None, deployments: Iterable[Path]) -> bytes:
    """Find the operator library for a processor.

    Args:
        machine: What `uname -m` says there.
        chosen: The library to take, or a wheel that holds it; where None, this machine's own or one that a
            deployment carries.
        deployments: Deployment folders.

    Raises:
        InputError: `chosen` holds no library, or one for other processors.
        KapruneError: There is none for that processor.
    """
    if chosen is not None:
        return read_for(machine, chosen)
    for path in (*_own(), *(folder / LIBRARY for folder in deployments)):
        if path.is_file() and is_for(library := path.read_bytes(), machine):
            return library
    raise _lacking("operator library", machine)


def find_runner(machine: str, chosen: Path | None) -> bytes:
    """Find the program for devices without Python, which lies beside the operator library.

    Args:
        machine: What `uname -m` says there.
        chosen: The operator library, or a wheel; where None, this machine's own.

    Raises:
        InputError: It is not beside `chosen`, or is for other processors.
        KapruneError: There is none for that processor.
    """
    if chosen is not None:
        return read_for(machine, chosen if _is_wheel(chosen) else chosen.with_name(_RUNNER), _RUNNER)
    for path in _own():
        runner = path.with_name(_RUNNER)
        if runner.is_file() and is_for(content := runner.read_bytes(), machine):
            return content
    raise _lacking("runner", machine)


def read_for(machine: str, path: Path, member: str = LIBRARY) -> bytes:
    """Read what is compiled for a processor, out of a wheel where it is one.

    Raises:
        InputError: It cannot be read, or is for other processors.
    """
    try:
        if _is_wheel(path):
            with zipfile.ZipFile(path) as wheel:
                content = wheel.read(f"kaprune_runtime/{member}")
        else:
            content = path.read_bytes()
    except KeyError as error:
        raise InputError(f"{path} holds no {member}; give a wheel of kaprune-edge-runtime") from error
    except (OSError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path} cannot be read ({reason}); give a file for {machine} processors") from error
    if not is_for(content, machine):
        raise InputError(f"{path} is not for {machine} processors; give one that is")
    return content


def _own() -> list[Path]:
    try:
        return [library_path()]
    except KapruneError:
        return []


def _is_wheel(path: Path) -> bool:
    return path.suffix == ".whl"


def _lacking(what: str, machine: str) -> KapruneError:
    return KapruneError(
        f"there is no {what} for {machine} processors here; build one (for 64-bit Arm `make wheel-arm64` "
        "does) and name it with --device-library"
    )
