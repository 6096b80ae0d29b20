"""How long work tells that it goes on; the command line draws it, tests and libraries stay silent."""

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of one stage after another."""

    def start(self, stage: str, total: int) -> None:
        """Begin a stage of `total` units of work; ends the one before."""

    def advance(self, done: int, **figures: float | str) -> None:
        """Tell how many units are done, and the figures worth seeing (loss, sparsity, ...)."""

    def tell(self, line: str) -> None:
        """Tell a plan or a result, in one line that stays."""


class Silent:
    """Progress that nobody watches."""

    def start(self, stage: str, total: int) -> None:
        """Ignore the stage."""

    def advance(self, done: int, **figures: float | str) -> None:
        """Ignore the figures."""

    def tell(self, line: str) -> None:
        """Ignore the line."""
