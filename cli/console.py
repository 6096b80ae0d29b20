"""What a person sees: progress on standard error, results on standard output."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from kaprune_runtime import terminal
from kaprune_runtime.terminal import quoted, to_json, visible

from .launcher import IS_ALONE, IS_MAIN

ERR = Console(stderr=True, quiet=not IS_MAIN, markup=False, emoji=False, highlight=False)
LINES_PER_STAGE = 10
SILENCE = 5.0
"""Seconds in which a log gets a line, even if nothing is done."""


@contextmanager
def progress() -> Iterator["TerminalProgress | LogProgress"]:
    """Draw progress bars on a terminal, print a few lines a stage elsewhere."""
    if not ERR.is_terminal:
        log = LogProgress()
        try:
            yield log
        finally:
            log.stop()
        return
    columns = (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[figures]}", markup=False),
        SpinnerColumn(),
    )
    bars = Bars(*columns, console=ERR)
    try:
        yield TerminalProgress(bars)
    finally:
        bars.stop()


class TerminalProgress:
    """A bar a stage, with the time left and the latest figures."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._stage: TaskID | None = None

    def start(self, stage: str, total: int) -> None:
        """Add a bar."""
        self._bars.start()  # not before: where no stage comes, the cursor need not be hidden
        self._stage = self._bars.add_task(visible(stage), total=total, figures="")

    def advance(self, done: int, **figures: float | str) -> None:
        """Move the bar."""
        if self._stage is not None:
            self._bars.update(self._stage, completed=done, figures=_line(figures))

    def tell(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(visible(line))


class LogProgress:
    """Lines for a log: each stage, every tenth of it, and a line at least every `SILENCE` seconds."""

    def __init__(self) -> None:
        self._stage, self._done, self._total, self._tenths = "", 0, 1, 0
        self._figures: Mapping[str, float | str] = {}
        self._spoke = time.monotonic()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._break_silence, daemon=True)

    def start(self, stage: str, total: int) -> None:
        """Print the stage's name."""
        self._stage, self._done, self._total, self._tenths, self._figures = stage, 0, max(total, 1), 0, {}
        self.tell(f"{stage} ...")
        if not self._watch.is_alive():
            self._watch.start()

    def advance(self, done: int, **figures: float | str) -> None:
        """Print a line if another tenth is done."""
        self._done, self._figures = done, figures
        tenths = LINES_PER_STAGE * done // self._total
        if figures and tenths > self._tenths:
            self._tenths = tenths
            self._say_how_far()

    def tell(self, line: str) -> None:
        """Print a line."""
        self._spoke = time.monotonic()
        note(line)

    def stop(self) -> None:
        """Be silent from now on."""
        self._ended.set()

    def _say_how_far(self, going_on: str = "") -> None:
        done = f"{self._done}/{self._total}"
        self.tell(f"{self._stage} {going_on}{done}  {_line(self._figures)}".rstrip())

    def _break_silence(self) -> None:
        while not self._ended.wait(SILENCE / 10):
            if time.monotonic() - self._spoke >= SILENCE - SILENCE / 10:
                self._say_how_far("... ")


@contextmanager
def resumable(output: Path, begun: Path | None = None) -> Iterator[None]:
    """Have an interruption tell how to go on, if `begun`, the unfinished output by default, exists."""
    from kaprune_edge.artifacts import interrupted

    try:
        yield
    except KeyboardInterrupt as stop:
        if (begun or interrupted(output)).exists():
            again = quoted("kaprune-edge", *sys.argv[1:], *(() if "--resume" in sys.argv else ("--resume",)))
            stop.add_note(f"go on with: {again}" if IS_ALONE else "go on with the same command and --resume")
        raise


def say(line: str) -> None:
    """Print a line of a result as it is, but for what a terminal would obey."""
    if IS_MAIN:
        terminal.say(line)


def note(line: str) -> None:
    """Print a line on standard error."""
    if IS_MAIN:
        terminal.note(line)


def show(table: RenderableType) -> None:
    """Print a table."""
    console = Console(markup=False, emoji=False, highlight=False)
    with console.capture() as drawn:
        console.print(table)
    if IS_MAIN:
        terminal.write(drawn.get())


def print_json(content: Mapping[str, Any]) -> None:
    """Print an object for a machine to read."""
    if IS_MAIN:
        terminal.write(to_json(content, indent=2) + "\n")


def scores(metrics: Mapping[str, float]) -> str:
    """Write metrics out."""
    from kaprune_edge.tasks.metrics import shown

    return ", ".join(f"{visible(name)} {shown(name, value)}" for name, value in metrics.items())


def _line(figures: Mapping[str, float | str]) -> str:
    return "  ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {visible(str(value))}"
        for name, value in figures.items()
    )
