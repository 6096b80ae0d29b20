"""What a device is brought besides deployments: the torch-free runtime with the library for its processor."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import kaprune_runtime
from kaprune_edge.elf import is_for
from kaprune_runtime import KapruneError, library_path
from kaprune_runtime.errors import InputError

LIBRARY = "libkaprune.so"


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
        library = _read(chosen)
        if not is_for(library, machine):
            raise InputError(f"{chosen} is not for {machine} processors; build one that is")
        return library
    for path in (*_own(), *(folder / LIBRARY for folder in deployments)):
        if path.is_file() and is_for(library := path.read_bytes(), machine):
            return library
    raise KapruneError(
        f"there is no operator library for {machine} processors here; build one (for 64-bit Arm `make "
        "wheel-arm64` does) and name it with --device-library"
    )


def _own() -> list[Path]:
    try:
        return [library_path()]
    except KapruneError:
        return []


def _read(path: Path) -> bytes:
    """Read a library, out of a wheel where it is one."""
    try:
        if path.suffix != ".whl":
            return path.read_bytes()
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(f"kaprune_runtime/{LIBRARY}")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no wheel or library of kaprune-edge-runtime ({error})") from error
