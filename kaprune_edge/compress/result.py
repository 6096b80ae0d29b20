"""What a compression found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kaprune_edge.compress.judge import Drop
from kaprune_edge.compress.ladder import Outcome


@dataclass(frozen=True)
class Compression:
    """A finished or interrupted search, and the deployment that it delivered."""

    folder: Path
    """The deployment."""
    work: Path
    """What every step made; `teacher` is a plain checkpoint."""
    headline: str
    """The metric that the promise is about."""
    max_drop: float
    """The promise, in points."""
    teacher: float
    """The teacher's headline metric on the held-out rows, a fraction."""
    note: str | None
    """What is wrong with the teacher, and what to do; None where nothing is."""
    held_out_rows: int
    dense: Outcome
    """The teacher itself in int8: what is delivered where no sparse student keeps the promise."""
    outcomes: tuple[Outcome, ...]
    """Every step, in order."""
    delivered: Outcome
    """One of `outcomes`, or `dense`."""
    speedup: float
    """Latency of the dense int8 deployment divided by that of the delivered one, timed in turns."""
    student: Path
    """Checkpoint of the delivered model."""
    seconds: float
    """Of all work, interruptions left out."""
    interrupted: bool
    """Whether somebody stopped the search."""

    @property
    def drop(self) -> Drop:
        """What the delivered model loses on the held-out rows."""
        return self.delivered.drop

    def to_dict(self) -> Mapping[str, Any]:
        """Return everything as JSON can hold it."""
        return {
            **asdict(self),
            "folder": str(self.folder),
            "work": str(self.work),
            "student": str(self.student),
        }
