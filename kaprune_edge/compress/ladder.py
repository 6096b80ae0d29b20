"""The search: decides which sparsity to try next from what was found so far."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from kaprune_edge.compress.judge import Drop

FIRST = 0.6
"""Sparsity of the first step, which reconstruction alone often reaches."""
LAST = 0.985
FEWEST_SECONDS = 45.0
"""A shorter training is not worth the export and the judging that follow it."""
MOST_TRIES = 4
"""Trainings of one student at one sparsity."""
SHORT = 900.0
"""With fewer seconds left than this, steps are twice as far apart."""
CLOSE = 1.25
"""Two sparsities are neighbours where one keeps at most this many times the weights of the other."""


@dataclass(frozen=True)
class Attempt:
    """One step of the search: what to prune, from where, and how long to train it."""

    number: int
    """From 1."""
    sparsity: float
    start: str | None
    """Name of the attempt whose student it starts from; None starts from the teacher."""
    seconds: float
    """Time to train at most."""

    @property
    def name(self) -> str:
        """Name of the attempt's folder."""
        return f"{self.number:02}-{100 * self.sparsity:g}"


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt."""

    attempt: Attempt
    drop: Drop
    """Of the deployment, on held-out rows."""
    kept: bool
    """Whether the drop is within the promise."""
    steps: int
    """Training steps."""
    milliseconds: float
    """Median latency of the deployment."""
    file_bytes: int
    seconds: float
    """All that the attempt took."""
    training_seconds: float
    """Of its training alone."""

    def to_json(self) -> dict[str, Any]:
        """Give what `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        parts = {"attempt": Attempt(**content["attempt"]), "drop": Drop(**content["drop"])}
        return cls(**{**content, **parts})


def best(outcomes: Sequence[Outcome]) -> Outcome | None:
    """Find the fastest student that keeps the promise."""
    return min((found for found in outcomes if found.kept), key=_speed, default=None)


def _speed(found: Outcome) -> tuple[float, float]:
    """Rank by sparsity first: latencies of neighbours differ by less than a busy machine's noise."""
    return -found.attempt.sparsity, found.milliseconds


def next_attempt(outcomes: Sequence[Outcome], *, max_drop: float, left: float) -> Attempt | None:
    """Choose the next step.

    The search climbs from the last student that kept the promise to one with half of its weights. A student
    that misses the promise is trained again, each time twice as long. It stops when the last gain was too
    small to reach the promise. Then the search tries a sparsity between the highest that kept the promise
    and the lowest that missed it.

    Args:
        outcomes: All so far, in order.
        max_drop: The promise, in points.
        left: Seconds that are left.

    Returns:
        The attempt, or None where nothing is left to try or no time to try it.
    """
    number = len(outcomes) + 1
    if left <= 0:
        return None
    if outcomes and _is_worth_more(outcomes, max_drop):
        last = outcomes[-1]
        longer = min(2 * last.attempt.seconds, left)
        if longer >= FEWEST_SECONDS:
            return Attempt(number, last.attempt.sparsity, last.attempt.name, longer)
    found = best(outcomes)
    sparsity = _next_sparsity(outcomes, found, left)
    if sparsity is None:
        return None
    return Attempt(number, sparsity, found.attempt.name if found else None, _share_of(left))


def _share_of(left: float) -> float:
    """Choose how long the first training at a sparsity may take."""
    return left / 8 if left > SHORT else max(left / 4, min(left, FEWEST_SECONDS))


def _is_worth_more(outcomes: Sequence[Outcome], max_drop: float) -> bool:
    """Tell whether training the last student on can bring it within the promise."""
    last = outcomes[-1]
    tries = [found for found in outcomes if found.attempt.sparsity == last.attempt.sparsity]
    if last.kept or len(tries) >= MOST_TRIES:
        return False
    missing = last.drop.points - max_drop
    if len(tries) == 1:
        return missing <= 2 * max_drop + 2
    return missing <= 1.5 * (tries[-2].drop.points - last.drop.points)


def _next_sparsity(outcomes: Sequence[Outcome], found: Outcome | None, left: float) -> float | None:
    """Choose a sparsity between the highest that kept the promise and the lowest above it that missed it."""
    floor = found.attempt.sparsity if found else 0.0
    missed = [each.attempt.sparsity for each in outcomes if not each.kept and each.attempt.sparsity > floor]
    if missed:
        above, below = 1 - min(missed), 1 - floor
        if below / above < CLOSE**2:
            return None
        return _rounded(1 - (above * below) ** 0.5)
    if not found:
        return FIRST
    if floor >= LAST:
        return None
    return min(LAST, _rounded(1 - (1 - floor) * (0.5 if left > SHORT else 0.25)))


def _rounded(sparsity: float) -> float:
    """Keep as many digits as tell neighbours apart."""
    return round(sparsity, 3)
