"""A process on some machine, as lines that go in and out."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Exit:
    """How a process ended."""

    code: int
    """Exit code, or the negative number of the signal that killed it."""
    error: str
    """Last line of what it wrote on standard error."""


class Process(Protocol):
    """A process, here or elsewhere, that reads and writes lines."""

    def write(self, line: str) -> None:
        """Send a line, its end included; one that has ended ignores it."""

    def read(self) -> str | Exit:
        """Wait for the next line, or the end.

        Raises:
            KapruneError: The connection broke.
        """

    def end(self) -> None:
        """Kill it, unless it has ended."""
