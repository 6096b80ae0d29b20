"""Counts the working time of a compression; time between an interruption and `--resume` is not counted."""

import json
import time
from pathlib import Path


class Clock:
    """Counts the seconds that a compression has worked, in a file that outlives interruptions."""

    def __init__(self, file: Path, limit: float) -> None:
        """Go on from what the file says.

        Args:
            file: Written by `save`.
            limit: Seconds in all.
        """
        self._file, self.limit = file, limit
        earlier = json.loads(file.read_text(encoding="utf-8"))["seconds"] if file.exists() else 0.0
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
        fresh = self._file.with_name(f"{self._file.name}.partial")
        fresh.write_text(json.dumps({"seconds": round(self.seconds, 1)}), encoding="utf-8")
        fresh.replace(self._file)


def shown_seconds(seconds: float) -> str:
    """Write a time as people say it."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(seconds, 0):.0f} s"
