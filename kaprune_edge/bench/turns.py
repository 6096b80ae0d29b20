"""Models timed in turns, so that whatever else the machine does meets all of them alike."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np

from kaprune_edge.bench.comparison import Setting, Timing, Workload
from kaprune_edge.bench.worker import Worker
from kaprune_edge.progress import Progress


def time_in_turns(
    starts: Sequence[Callable[[], Worker]],
    *,
    reference: int,
    workload: Workload,
    progress: Progress,
) -> tuple[list[Timing], Setting]:
    """Load each model into a process of its own, then let them run one at a time, round after round.

    Args:
        starts: Each loads one model.
        reference: Index of the model that the others are compared with.
        workload: Gives the number of rounds and of runs in each.
        progress: Told of every round.

    Returns:
        One timing a model, and what they ran on.

    Raises:
        InputError: A model cannot be loaded.
        KapruneError: A process died.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(start()) for start in starts]
        milliseconds = np.empty((len(workers), workload.rounds, workload.runs))
        for turn in range(workload.rounds):
            for own, worker in zip(milliseconds, workers, strict=True):
                own[turn] = worker.time(workload.runs)
            progress.advance(turn + 1)
    medians = np.median(milliseconds, axis=2)
    timings = [
        _timing(worker, own, medians[reference] / median)
        for worker, own, median in zip(workers, milliseconds, medians, strict=True)
    ]
    return timings, Setting(workers[0].machine, workers[0].condition_before, workers[-1].condition)


def _timing(worker: Worker, milliseconds: np.ndarray, speedups: np.ndarray) -> Timing:
    """Summarize one model's times [rounds, runs] and its speedup in each round [rounds]."""
    median, p90, p99 = np.percentile(milliseconds, [50, 90, 99]).tolist()
    low, speedup, high = np.percentile(speedups, [25, 50, 75]).tolist()
    return Timing(
        median_ms=median,
        p90_ms=p90,
        p99_ms=p99,
        speedup=speedup,
        speedup_range=(low, high),
        load_seconds=worker.load_seconds,
        peak_memory_bytes=worker.peak_bytes,
        placement=worker.placement,
    )
