"""DeepSparse as a worker of the benchmark, in its own environment."""

import os

os.environ.setdefault("NM_BIND_THREADS_TO_CORES", "0")

from deepsparse import Engine
from engine_worker import Run, serve


def load(file: str, tokens: int, threads: int) -> Run:
    return Engine(model=file, batch_size=1, num_cores=threads, input_shapes=[[1, tokens]] * 3).run


if __name__ == "__main__":
    serve(load)
