import sys

import numpy as np
import pytest

from kaprune_edge.bench.comparison import Workload
from kaprune_edge.bench.turns import time_in_turns
from kaprune_edge.bench.worker import Worker
from kaprune_edge.devices import LocalProcess
from kaprune_edge.progress import Silent

SCRIPT = """
import json, sys
from dataclasses import asdict
from kaprune_runtime.machine import describe_machine
condition = {"governor": "userspace", "megahertz": 600, "celsius": 40, "limits": [], "throttlings": None}
placement = {"CPUExecutionProvider": {"MatMul": 2}}
name, log, rounds = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
loaded = {"load_seconds": 1.5, "machine": asdict(describe_machine())}
print(json.dumps(loaded | {"placement": placement, "condition": condition}), flush=True)
for line, milliseconds in zip(sys.stdin, rounds):
    with open(log, "a") as file:
        file.write(f"{name}{json.loads(line)['runs']}+")
        file.flush()
        condition["celsius"] += 1
        timed = {"nanoseconds": [ms * 1e6 for ms in milliseconds], "peak_bytes": 7, "condition": condition}
        print(json.dumps(timed), flush=True)
"""


def scripted(name, log, rounds):
    """A worker that answers with given times and notes when it was asked."""
    return lambda: Worker(name, LocalProcess([sys.executable, "-c", SCRIPT, name, str(log), repr(rounds)]))


def test_models_alternate_and_ratios_pair_the_rounds(tmp_path):
    # The machine slows down threefold in the last round; the ratio within each round does not care.
    fast = [[1, 2, 3], [1, 2, 9], [6, 6, 6]]
    slow = [[8, 8, 8], [4, 8, 9], [18, 24, 90]]
    log = tmp_path / "log"
    (first, second), setting = time_in_turns(
        [scripted("A", log, fast), scripted("B", log, slow)],
        reference=1,
        workload=Workload(sequence_length=8, batch_size=1, threads=1, rounds=3, runs=3),
        progress=Silent(),
    )
    assert log.read_text() == "A3+B3+A3+B3+A3+B3+"
    assert (first.speedup, first.speedup_range) == (4, (4, 4))
    assert (second.speedup, second.speedup_range) == (1, (1, 1))
    assert [first.median_ms, first.p90_ms, first.p99_ms] == np.percentile(fast, [50, 90, 99]).tolist()
    assert (first.load_seconds, first.peak_memory_bytes) == (1.5, 7)
    assert setting.machine.cores >= 1
    assert (setting.before.celsius, setting.after.celsius) == (40, 43)
    assert first.placement == {"CPUExecutionProvider": {"MatMul": 2}}


@pytest.mark.parametrize(("rounds", "expected"), [([[1], [2], [4], [5]], (4, 3, 6.25))])
def test_the_spread_is_the_middle_half(tmp_path, rounds, expected):
    reference = [[10], [10], [12], [15]]
    (timing, _), _ = time_in_turns(
        [scripted("A", tmp_path / "log", rounds), scripted("B", tmp_path / "log", reference)],
        reference=1,
        workload=Workload(sequence_length=8, batch_size=1, threads=1, rounds=4, runs=1),
        progress=Silent(),
    )
    assert (timing.speedup, *timing.speedup_range) == expected
