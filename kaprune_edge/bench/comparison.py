"""What a comparison found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kaprune_runtime.condition import Condition
from kaprune_runtime.machine import Machine


@dataclass(frozen=True)
class Entrant:
    """A model that takes part."""

    name: str
    folder: Path
    random_weights: bool = False
    """Whether nothing but its size and latency mean anything."""


@dataclass(frozen=True)
class Workload:
    """What every model is made to do."""

    sequence_length: int
    """Tokens of each text."""
    batch_size: int
    """Texts in one run."""
    threads: int
    """Threads of one run."""
    rounds: int
    """Turns of each model."""
    runs: int
    """Timed runs in a turn."""


@dataclass(frozen=True)
class Timing:
    """How fast one model ran, and what it took."""

    median_ms: float
    p90_ms: float
    p99_ms: float
    speedup: float
    """How many times as fast as the reference: the median over rounds of the ratio of the two medians."""
    speedup_range: tuple[float, float]
    """The middle half of those ratios."""
    load_seconds: float
    """Making the ONNX Runtime session from a file that the system has cached."""
    peak_memory_bytes: int
    """Most physical memory of the process that loaded and ran the model, Python included."""
    placement: Mapping[str, Mapping[str, int]] | None
    """Execution provider -> operator -> nodes that it took; None where onnxruntime is too old to tell."""


@dataclass(frozen=True)
class Setting:
    """What models were timed on."""

    machine: Machine
    before: Condition
    """When the models were loaded."""
    after: Condition
    """After the last turn."""


@dataclass(frozen=True)
class Row:
    """One model on one execution provider."""

    name: str
    provider: str
    random_weights: bool
    timing: Timing
    file_bytes: int
    """Size of model.onnx."""
    metrics: Mapping[str, float] | None
    """The task's metrics, the headline first; None without a task or with random weights."""


@dataclass(frozen=True)
class Comparison:
    """Models compared on one device."""

    rows: tuple[Row, ...]
    reference: str
    """Name of the model that speedups refer to."""
    task: str | None
    workload: Workload
    device: str
    """Its address."""
    machine: Machine
    before: Condition
    """When the first model was loaded."""
    after: Condition
    """After the last turn."""
    notes: tuple[str, ...]
    """A sentence on each provider that was left out, and on what the others could not take."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return asdict(self)
