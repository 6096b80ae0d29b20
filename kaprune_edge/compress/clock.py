"""Counts the working time of a compression; time between an interruption and `--resume` is not counted."""

import time
from pathlib import Path

from kaprune_edge.artifacts import write_json
from kaprune_runtime.deployment import read_json


class Clock:
    """Counts the seconds that a compression has worked, in a file that outlives interruptions."""

    def __init__(self, file: Path, limit: float) -> None:
        """Go on from what the file says.

        Args:
            file: Written by `save`.
            limit: Seconds in all.
        """
        self._file, self.limit = file, limit
        earlier = read_json(file)["seconds"] if file.exists() else 0.0
        self._start = time.monotonic() - earlier

    @property
    def seconds(self) -> float:
        """Seconds worked so far."""
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.limit - self.seconds

    def save(self) -> None:
        """Keep the seconds."""
        write_json(self._file, {"seconds": round(self.seconds, 1)})


def shown_seconds(seconds: float) -> str:
    """Write a time as people say it."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(seconds, 0):.0f} s"
