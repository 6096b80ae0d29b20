"""The native operator library: where it is, and which kernels it runs here."""

import ctypes
import os
import sys
from pathlib import Path

from kaprune_runtime.errors import KapruneError

_NAME = {"win32": "kaprune.dll", "darwin": "libkaprune.dylib"}.get(sys.platform, "libkaprune.so")


def library_path() -> Path:
    """Find the shared library that implements `ai.kaprune`.

    ONNX Runtime loads it in every language: `SessionOptions.register_custom_ops_library` in Python,
    `RegisterCustomOpsLibrary` in C and C++, `registerCustomOpLibrary` in Java.

    Returns:
        The file that KAPRUNE_LIBRARY names, where that is set; else the one installed with this package.

    Raises:
        KapruneError: There is none.
    """
    import kaprune_runtime  # an editable installation has a second folder, for what was compiled

    chosen = os.environ.get("KAPRUNE_LIBRARY")
    candidates = [Path(chosen)] if chosen else [Path(folder) / _NAME for folder in kaprune_runtime.__path__]
    for path in candidates:
        if path.is_file():
            return path
    if chosen:
        raise KapruneError(f"{chosen} does not exist; unset or correct KAPRUNE_LIBRARY")
    raise KapruneError(f"{_NAME} does not exist; install a C++ compiler, then kaprune-edge-runtime again")


def instruction_set() -> str:
    """Name the kernels that the library runs on this machine: such as avx2, neon_dotprod or portable.

    The best ones, or those that KAPRUNE_INSTRUCTION_SET names in the environment when the library is
    first used.

    Raises:
        KapruneError: The library is missing or does not load, or the variable names what this machine
            does not have.
    """
    path = library_path()
    try:
        name = ctypes.CDLL(str(path)).KapruneInstructionSet
    except (OSError, AttributeError) as error:
        raise KapruneError(f"{path} does not load ({error}); reinstall kaprune-edge-runtime") from error
    name.restype = ctypes.c_char_p
    found: bytes | None = name()
    if found is None:
        chosen = os.environ["KAPRUNE_INSTRUCTION_SET"]
        raise KapruneError(f"this machine does not run {chosen}; unset or correct KAPRUNE_INSTRUCTION_SET")
    return found.decode("ascii")
