"""A comparison as a table for people."""

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kaprune_edge.bench.comparison import Comparison, Row
from kaprune_edge.bench.providers import nodes_taken, short_name
from kaprune_edge.tasks.metrics import CORRELATIONS, shown
from kaprune_runtime.condition import Condition
from kaprune_runtime.machine import Machine
from kaprune_runtime.providers import CPU
from kaprune_runtime.terminal import visible


def render(comparison: Comparison) -> RenderableType:
    """Draw one row a model and, below, what the columns mean and what the figures were taken on."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("model", overflow="fold", min_width=15)
    columns = _columns(comparison)
    for heading in columns:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for row in comparison.rows:
        name = f"{row.name} *" if row.random_weights else row.name
        table.add_row(*(Text(visible(text)) for text in (name, *(cell(row) for cell in columns.values()))))
    legend = "\n".join(map(visible, _legend(comparison)))
    return Group(table, Text(legend))


def _columns(comparison: Comparison) -> dict[str, Callable[[Row], str]]:
    """Head each column with its name and unit, and say how its cells are filled."""
    columns: dict[str, Callable[[Row], str]] = {}
    others = any(row.provider != CPU for row in comparison.rows)
    if others:
        columns["provider"] = lambda row: short_name(row.provider)
    headline = next((next(iter(row.metrics)) for row in comparison.rows if row.metrics), None)
    if headline is not None:
        unit = "" if headline in CORRELATIONS else "\n%"
        columns[f"{headline}{unit}"] = lambda row: (
            shown(headline, row.metrics[headline]) if row.metrics else "-"
        )
    if others:
        columns["nodes\ntaken"] = _nodes
    return columns | {
        "median\nms": lambda row: _digits(row.timing.median_ms),
        "p90\nms": lambda row: _digits(row.timing.p90_ms),
        "p99\nms": lambda row: _digits(row.timing.p99_ms),
        "speed\ntimes": _speed,
        "load\ns": lambda row: f"{row.timing.load_seconds:.2f}",
        "RAM\nMB": lambda row: f"{row.timing.peak_memory_bytes / 1e6:.0f}",
        "file\nMB": lambda row: _digits(row.file_bytes / 1e6),
    }


def _nodes(row: Row) -> str:
    counts = nodes_taken(row)
    return f"{counts[0]} of {counts[1]}" if counts else "?"


def _speed(row: Row) -> str:
    low, high = row.timing.speedup_range
    return f"{_digits(row.timing.speedup)} ±{(high - low) / 2 / row.timing.speedup:.0%}"


def _digits(value: float) -> str:
    """Write three digits that count, and as many as there are before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _legend(comparison: Comparison) -> list[str]:
    load, machine = comparison.workload, comparison.machine
    lines = [
        f"Each run: {_count(load.batch_size, 'text')} of {_count(load.sequence_length, 'token')}, "
        f"{_count(load.threads, 'thread')}. Every model, in a process of its own, had "
        f"{_count(load.rounds, 'turn')} of {_count(load.runs, 'run')}.",
        "median, p90, p99: half, 90 % and 99 % of the runs took no longer.",
        f"speed: times as fast as {comparison.reference}, ± half the interquartile range over the turns.",
        "load: making the session; RAM: peak of the process"
        f"{', Python included' if machine.python else ''}; file: model.onnx.",
    ]
    if comparison.task is not None:
        lines.append(f"Judged on {comparison.task}.")
    if any(row.random_weights for row in comparison.rows):
        lines.append("* random weights: for latency, memory and size only.")
    if any(row.provider != CPU for row in comparison.rows):
        lines.append("nodes taken: how many of the graph's the provider ran; the CPU ran the rest.")
    features = f" ({', '.join(machine.features)})" if machine.features else ""
    lines.append(
        f"{machine.processor}{features}, {_cores(machine)}, "
        f"{machine.memory_bytes / 1e9:.0f} GB; onnxruntime {machine.onnxruntime}, "
        f"{f'Python {machine.python}' if machine.python else 'no Python'}, "
        f"{f'sparse kernels for {machine.kernels}' if machine.kernels else 'no sparse kernels'}."
    )
    if condition := _condition(comparison.before, comparison.after):
        lines.append(condition)
    return [*lines, *comparison.notes]


def _condition(before: Condition, after: Condition) -> str:
    """Say what slowed the processor down; empty where the system does not tell."""
    parts = []
    if after.governor:
        parts.append(f"clock by {after.governor}")
    if after.megahertz:
        parts.append(f"{after.megahertz:.0f} MHz at the end")
    if before.celsius is not None and after.celsius is not None:
        parts.append(f"{before.celsius:.0f} °C before, {after.celsius:.0f} °C after")
    if after.limits:
        parts.append(f"held back by {' and '.join(after.limits)}")
    elif after.limits is not None:
        parts.append("not held back at the end")
    if before.throttlings is not None and after.throttlings is not None:
        parts.append(f"throttled {_count(after.throttlings - before.throttlings, 'time')} by heat")
    line = "; ".join(parts)
    return f"{line[0].upper()}{line[1:]}." if line else ""


def _cores(machine: Machine) -> str:
    """Say how many cores there are, and how many of them could be used."""
    present = _count(machine.cores_present, "core")
    return present if machine.cores == machine.cores_present else f"{machine.cores} of {present} for use"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
