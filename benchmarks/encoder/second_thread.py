"""How much a second thread brings, beside how much a second core does."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from kaprune_edge.bench.worker import Worker

RUNS = 30
"""Timed runs in a turn: most come after the system has given each thread of a process that slept a core."""

PRODUCTS = 1000
"""Matrix products in a turn of a core, of matrices that stay in its cache."""


def second_thread(start: Callable[[int], Worker], rounds: int) -> dict[str, Any]:
    """Time a model with one and two threads, and one and two cores at sums of their own, all in turns.

    Two cores of a virtual machine may share one of its host's, or lose it for a while: no program gains
    more from the second than `cores`.

    Args:
        start: Loads the model with a number of threads.
        rounds: Turns of each.

    Returns:
        `model`, `cores`: medians over the turns of how many times as fast two are as one; `turns`: the pairs.
    """
    with start(1) as one, start(2) as two:
        turns = [
            (float(np.median(one.time(RUNS)) / np.median(two.time(RUNS))), second_core())
            for _ in range(rounds)
        ]
    model, cores = zip(*turns, strict=True)
    return {"model": median(model), "cores": median(cores), "turns": turns}


def second_core() -> float:
    """Tell how many times as much two cores compute as one when neither needs memory."""
    with threadpool_limits(1), ThreadPoolExecutor(2) as threads:

        def seconds(workers: int) -> float:
            start = time.perf_counter()
            list(threads.map(multiply, range(workers)))
            return time.perf_counter() - start

        seconds(2)
        return 2 * seconds(1) / seconds(2)


def multiply(_: int) -> None:
    """Keep one core busy; NumPy lets other threads run meanwhile."""
    matrix = np.full((128, 128), 1 / 128, np.float32)
    product = matrix
    for _ in range(PRODUCTS):
        product = np.matmul(matrix, product)
