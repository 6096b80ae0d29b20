"""The operator library that a deployment carries."""

from pathlib import Path

from kaprune_edge.elf import is_for
from kaprune_edge.export.targets import Target
from kaprune_runtime.errors import InputError, KapruneError
from kaprune_runtime.operators import library_path

__all__ = ["LIBRARY", "find_library"]

LIBRARY = "libkaprune.so"


def find_library(target: Target, chosen: Path | None) -> bytes | None:
    """Find the operator library for a target.

    Args:
        target: Where it is to run.
        chosen: The library to take; where None, the one installed here, if it is for such machines.

    Returns:
        The library, None where there is none: the deployment then runs by its portable definitions.

    Raises:
        InputError: `chosen` cannot be read, or is no library for the target.
    """
    if chosen is None:
        try:
            library = library_path().read_bytes()
        except KapruneError:
            return None
        return library if is_for(library, target.architecture) else None
    try:
        library = chosen.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {chosen}: {error.strerror}; name an operator library") from error
    if not is_for(library, target.architecture):
        raise InputError(f"{chosen} is no library for {target.name}; change --library or --target")
    return library
