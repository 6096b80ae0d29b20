"""What workers of other engines share: they speak as kaprune_runtime.worker does."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[list[np.ndarray]], object]


def serve(load: Callable[[str, int, int], Run]) -> None:
    """Load the model that the command line names and time it on request.

    Args:
        load: Given the ONNX file, the tokens of a text and the threads, returns what runs a batch of one.
    """
    file, tokens, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    start = time.perf_counter()
    run = load(file, tokens, threads)
    load_seconds = time.perf_counter() - start
    ids = np.random.default_rng(0).integers(1000, 30000, (1, tokens))
    inputs = [ids, np.ones_like(ids), np.zeros_like(ids)]
    about = dict.fromkeys(
        ("processor", "features", "cores", "memory_bytes", "system", "python", "onnxruntime", "kernels")
    )
    condition = dict.fromkeys(("governor", "megahertz", "celsius", "limits", "throttlings"))
    _write({"load_seconds": load_seconds, "machine": about, "placement": None, "condition": condition})
    for line in sys.stdin:
        warm = time.monotonic() + 0.1
        while time.monotonic() < warm:
            run(inputs)
        nanoseconds = []
        for _ in range(json.loads(line)["runs"]):
            start_ns = time.perf_counter_ns()
            run(inputs)
            nanoseconds.append(time.perf_counter_ns() - start_ns)
        status = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
        _write({"nanoseconds": nanoseconds, "peak_bytes": int(status) * 1024, "condition": condition})


def _write(content: dict[str, object]) -> None:
    print(json.dumps(content), flush=True)
