"""The outcomes of a search, in a file that outlives interruptions."""

from pathlib import Path

from kaprune_edge.artifacts import write_json
from kaprune_edge.compress.clock import Clock
from kaprune_edge.compress.ladder import Outcome
from kaprune_runtime.deployment import read_json


class Record:
    """Every outcome so far, saved as it is added."""

    def __init__(self, file: Path, clock: Clock) -> None:
        """Read what an interrupted search found, if there was one.

        Args:
            file: Where outcomes are kept.
            clock: Saved with them.
        """
        self._file, self._clock = file, clock
        kept = read_json(file) if file.exists() else {"dense": None, "outcomes": []}
        self.dense = Outcome.from_json(kept["dense"]) if kept["dense"] else None
        """The teacher's own deployment."""
        self.outcomes = [Outcome.from_json(each) for each in kept["outcomes"]]
        """Every step, in order."""

    @property
    def overhead(self) -> float:
        """Seconds that a step takes beside its training, as far as is known."""
        known = [found.seconds - found.training_seconds for found in self.outcomes]
        return max(known) if known else 2 * (self.dense.seconds if self.dense else 0)

    def keep_dense(self, dense: Outcome) -> None:
        """Add the teacher's own deployment."""
        self.dense = dense
        self._save()

    def keep(self, outcome: Outcome) -> None:
        """Add a step."""
        self.outcomes.append(outcome)
        self._save()

    def _save(self) -> None:
        dense = self.dense.to_json() if self.dense else None
        write_json(self._file, {"dense": dense, "outcomes": [each.to_json() for each in self.outcomes]})
        self._clock.save()
