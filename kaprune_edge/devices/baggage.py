"""What a device is brought besides deployments: the torch-free runtime with the library for its processor."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import kaprune_runtime
from kaprune_runtime import KapruneError, library_path
from kaprune_runtime.errors import InputError

LIBRARY = "libkaprune.so"
_ELF_MACHINES = {"x86_64": 62, "aarch64": 183, "armv7l": 40, "riscv64": 243}
"""What `uname -m` says -> e_machine of an ELF file (System V ABI, Object Files)."""


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
        if not _fits(library, machine):
            raise InputError(f"{chosen} is not for {machine} processors; build one that is")
        return library
    for path in (*_own(), *(folder / LIBRARY for folder in deployments)):
        if path.is_file() and _fits(library := path.read_bytes(), machine):
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


def _fits(library: bytes, machine: str) -> bool:
    if library[:4] != b"\x7fELF":
        return False
    return int.from_bytes(library[18:20], "little") == _ELF_MACHINES.get(machine)
