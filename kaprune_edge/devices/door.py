"""How a device is reached: a program of the user's that runs a command there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Door:
    """A way to run one command of a shell on a device, its standard streams passed through."""

    name: str
    """What messages call the device."""
    program: Sequence[str]
    """Program and arguments; the command follows them as the last one."""
    folder: str | None
    """Folder on the device where copies are kept for next time; None keeps none."""
    explain: Callable[[int, str], str | None]
    """Given the exit code and what standard error holds: why the device cannot be reached, and what to do; or
    None where the program did its part and the command itself failed."""


def last_line(text: str) -> str:
    """Give the last line of what a program wrote on standard error, without its full stop."""
    return (text.strip().splitlines() or [""])[-1].strip().rstrip(".")
