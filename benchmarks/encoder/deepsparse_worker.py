"""DeepSparse as a worker of the benchmark, in its own environment: speaks as kaprune_runtime.worker does."""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("NM_BIND_THREADS_TO_CORES", "0")

import numpy as np
from deepsparse import Engine


def main() -> None:
    file, tokens, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    start = time.perf_counter()
    engine = Engine(model=file, batch_size=1, num_cores=threads, input_shapes=[[1, tokens]] * 3)
    load_seconds = time.perf_counter() - start
    ids = np.random.default_rng(0).integers(1000, 30000, (1, tokens))
    inputs = [ids, np.ones_like(ids), np.zeros_like(ids)]
    about = dict.fromkeys(
        ("processor", "features", "cores", "memory_bytes", "system", "python", "onnxruntime", "kernels")
    )
    condition = dict.fromkeys(("governor", "megahertz", "celsius", "limits", "throttlings"))
    loaded = {"load_seconds": load_seconds, "machine": about, "placement": None, "condition": condition}
    print(json.dumps(loaded), flush=True)
    for line in sys.stdin:
        engine.run(inputs)
        nanoseconds = []
        for _ in range(json.loads(line)["runs"]):
            start = time.perf_counter_ns()
            engine.run(inputs)
            nanoseconds.append(time.perf_counter_ns() - start)
        status = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
        timed = {"nanoseconds": nanoseconds, "peak_bytes": int(status) * 1024, "condition": condition}
        print(json.dumps(timed), flush=True)


if __name__ == "__main__":
    main()
