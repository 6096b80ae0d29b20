"""How long deployments take on this machine."""

from pathlib import Path

import numpy as np

from kaprune_edge.bench.benchmark import bench
from kaprune_edge.bench.worker import Worker
from kaprune_edge.devices import LocalDevice
from kaprune_runtime.deployment import read_config
from kaprune_runtime.providers import CPU

TOKENS = 128
RUNS = 30
ROUNDS = 7


def speedup_over(dense: Path, folder: Path) -> float:
    """Time two deployments in turns, so that a busy machine slows both.

    Returns:
        Latency of `dense` divided by that of the deployment in `folder`: the median over rounds.
    """
    length = min(TOKENS, read_config(folder).max_tokens)
    compared = bench([folder], baselines=[str(dense)], sequence_length=length, rounds=ROUNDS)
    return compared.rows[0].timing.speedup


def deployment_milliseconds(folder: Path) -> float:
    """Load a deployment in a process of its own and time it on one thread.

    Returns:
        The median of a text of `TOKENS` tokens, or of as many as the model takes.
    """
    length = min(TOKENS, read_config(folder).max_tokens)
    options = [f"--sequence-length={length}", "--batch-size=1", "--threads=1", f"--provider={CPU}"]
    with Worker(str(folder), LocalDevice().start("worker", options, folder)) as worker:
        return float(np.median(worker.time(RUNS)))
