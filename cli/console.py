"""What a person sees: progress on standard error, results on standard output."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from .launcher import IS_MAIN

OUT = Console(quiet=not IS_MAIN)
ERR = Console(stderr=True, quiet=not IS_MAIN)
LINES_PER_STAGE = 10


@contextmanager
def progress() -> Iterator["TerminalProgress | LogProgress"]:
    """Draw progress bars on a terminal, print a few lines a stage elsewhere."""
    if not ERR.is_terminal:
        yield LogProgress()
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[figures]}"),
    )
    with Bars(*columns, console=ERR) as bars:
        yield TerminalProgress(bars)


class TerminalProgress:
    """A bar a stage, with the time left and the latest figures."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._stage: TaskID | None = None

    def start(self, stage: str, total: int) -> None:
        """Add a bar."""
        self._stage = self._bars.add_task(stage, total=total, figures="")

    def advance(self, done: int, **figures: float | str) -> None:
        """Move the bar."""
        if self._stage is not None:
            self._bars.update(self._stage, completed=done, figures=_line(figures))


class LogProgress:
    """Lines for a log: the stage, then every tenth of it."""

    def start(self, stage: str, total: int) -> None:
        """Print the stage's name."""
        self._stage, self._total, self._printed = stage, max(total, 1), 0
        ERR.print(f"{stage} ...", highlight=False)

    def advance(self, done: int, **figures: float | str) -> None:
        """Print a line if another tenth is done."""
        tenth = LINES_PER_STAGE * done // self._total
        if figures and tenth > self._printed:
            self._printed = tenth
            ERR.print(f"{self._stage} {done}/{self._total}  {_line(figures)}", highlight=False)


def say(text: str) -> None:
    """Print a result as it is: no wrapped lines, no markup."""
    OUT.print(text, soft_wrap=True, highlight=False, markup=False)


def print_json(content: Mapping[str, Any]) -> None:
    """Print an object for a machine to read."""
    say(json.dumps(content, indent=2))


def percent(metrics: Mapping[str, float]) -> str:
    """Write metrics out, fractions as per cent."""
    return ", ".join(f"{name} {100 * value:.1f}" for name, value in metrics.items())


def _line(figures: Mapping[str, float | str]) -> str:
    return "  ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in figures.items()
    )
