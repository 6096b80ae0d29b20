"""How long a model takes to load and to run, and how much memory its process needs."""

import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaprune_runtime.deployment import MODEL, ModelConfig, read_config, verify
from kaprune_runtime.errors import InputError
from kaprune_runtime.processors import check_some
from kaprune_runtime.providers import CPU, placement
from kaprune_runtime.session import input_names, run, session

_WARM_UP_SECONDS = 0.1


@dataclass(frozen=True)
class Measurement:
    """One model in one process."""

    load_seconds: float
    milliseconds: np.ndarray
    """float64 [runs]."""
    peak_bytes: int


class LoadedModel:
    """A model with one input of fixed shape, ready to be timed."""

    def __init__(
        self, folder: Path, *, sequence_length: int, batch_size: int, threads: int = 1, provider: str = CPU
    ) -> None:
        """Load, and run once to see that it runs.

        Args:
            folder: Deployment.
            sequence_length: Tokens of each text; the whole length is used, there is no padding.
            batch_size: Texts in one run.
            threads: Threads that one run may use.
            provider: Execution provider.

        Raises:
            InputError: The deployment is damaged, or an argument does not fit it.
            KapruneError: ONNX Runtime failed.
        """
        config = check_fit(folder, sequence_length=sequence_length, batch_size=batch_size, threads=threads)
        verify(folder, MODEL)
        _read_through(folder / MODEL)
        start = time.perf_counter()
        self._session = session(folder / MODEL, threads=threads, provider=provider)
        self.load_seconds = time.perf_counter() - start
        self._feeds = sample_inputs(input_names(self._session), config, batch_size, sequence_length)
        run(self._session, self._feeds)
        self.placement = placement(self._session)

    def time(self, runs: int) -> list[int]:
        """Time runs one by one, in nanoseconds, after a tenth of a second of runs that are not counted.

        They refill the caches, and the system comes to give each thread a core of its own.
        """
        start = time.monotonic()
        while time.monotonic() < start + _WARM_UP_SECONDS:
            run(self._session, self._feeds)
        return [self._time_one() for _ in range(runs)]

    def _time_one(self) -> int:
        start = time.perf_counter_ns()
        run(self._session, self._feeds)
        return time.perf_counter_ns() - start


def check_fit(folder: Path, *, sequence_length: int, batch_size: int, threads: int) -> ModelConfig:
    """Read the model's config.json and raise InputError unless it can be run as asked."""
    config = read_config(folder)
    if not 1 <= sequence_length <= config.max_tokens:
        raise InputError(
            f"{folder} takes 1 to {config.max_tokens} tokens, not {sequence_length}; change --sequence-length"
        )
    if batch_size < 1:
        raise InputError(f"a batch of {batch_size} texts is impossible; give 1 or more")
    check_some(threads)
    return config


def measure(
    folder: Path,
    *,
    runs: int,
    sequence_length: int,
    batch_size: int = 1,
    threads: int = 1,
    provider: str = CPU,
) -> Measurement:
    """Load a deployment in this process and time it; see `LoadedModel` for the arguments and errors."""
    if runs < 1:
        raise InputError(f"{runs} runs measure nothing; give 1 or more")
    model = LoadedModel(
        folder, sequence_length=sequence_length, batch_size=batch_size, threads=threads, provider=provider
    )
    nanoseconds = model.time(runs)
    return Measurement(model.load_seconds, np.array(nanoseconds) / 1e6, peak_memory())


def sample_inputs(
    names: Collection[str], config: ModelConfig, batch_size: int, sequence_length: int
) -> dict[str, np.ndarray]:
    """Draw token ids that are spread over the vocabulary as words are in text (Zipf's law).

    Returns:
        int64 [batch_size, sequence_length] for each of `names`; nothing is padding.
    """
    # Ordinary words follow the special and unused tokens, the frequent ones first.
    first = min(1000, config.vocabulary_size // 2)
    shape = batch_size, sequence_length
    rank = np.exp(np.random.default_rng(0).uniform(0, np.log(config.vocabulary_size - first), shape))
    inputs = {
        "input_ids": first - 1 + rank.astype(np.int64),
        "attention_mask": np.ones(shape, np.int64),
        "token_type_ids": np.zeros(shape, np.int64),
    }
    return {name: inputs[name] for name in names}


def peak_memory() -> int:
    """Most physical memory, in bytes, that this process has held at a time."""
    if sys.platform == "linux":
        # Not getrusage: there a child's peak begins at the size of the parent that forked it.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="ignore")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _read_through(file: Path) -> None:
    """Leave a file in the system's cache as reading does, so that models compare whatever happened before.

    One just written may lie there in pieces of megabytes, which count as memory once a byte of them is used.
    """
    with file.open("rb") as opened:
        if sys.platform == "linux":
            os.fdatasync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while opened.read(2**20):
            pass
