"""Which execution providers a comparison uses, and what each left to the CPU's."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from kaprune_edge.bench.comparison import Row
from kaprune_runtime.errors import InputError
from kaprune_runtime.providers import CPU, is_plugin

_SUFFIX = "ExecutionProvider"
_ELSEWHERE = {"AzureExecutionProvider": "it sends the work to a remote service"}


def choose(wanted: Sequence[str], available: Sequence[str]) -> tuple[list[str], list[str]]:
    """Find the providers to use.

    Args:
        wanted: Names, with or without `ExecutionProvider` and in any case, or paths of plugin libraries.
        available: The providers that onnxruntime was built with on the device.

    Returns:
        The providers as onnxruntime calls them, and a sentence on each that is left out. When none is wanted:
        all that compute on the device, the CPU's first.

    Raises:
        InputError: One that is wanted is not there.
    """
    if not wanted:
        others = [name for name in available if name != CPU]
        notes = [f"{name} is left out: {_ELSEWHERE[name]}" for name in others if name in _ELSEWHERE]
        return [CPU, *(name for name in others if name not in _ELSEWHERE)], notes
    return list(dict.fromkeys(_find(name, available) for name in wanted)), []


def short_name(provider: str) -> str:
    """Name a provider as people do."""
    return Path(provider).stem.removeprefix("lib") if is_plugin(provider) else provider.removesuffix(_SUFFIX)


def nodes_taken(row: Row) -> tuple[int, int] | None:
    """Count the nodes that a row's provider took, and all there are; None where onnxruntime does not tell."""
    if row.timing.placement is None:
        return None
    total = sum(sum(nodes.values()) for nodes in row.timing.placement.values())
    left = 0 if row.provider == CPU else sum(row.timing.placement.get(CPU, {}).values())
    return total - left, total


def what_they_left(rows: Sequence[Row]) -> Iterator[str]:
    """Say for each row of another provider which nodes the CPU's ran."""
    for row in rows:
        if row.provider == CPU or (counts := nodes_taken(row)) is None or row.timing.placement is None:
            continue
        left = row.timing.placement.get(CPU, {})
        if counts[0] == 0:
            yield f"{short_name(row.provider)} took no node of {row.name}: the CPU ran all of it."
        elif left:
            operators = ", ".join(f"{count} {name}" for name, count in left.items())
            yield f"{short_name(row.provider)} left these nodes of {row.name} to the CPU: {operators}."


def _find(name: str, available: Sequence[str]) -> str:
    if is_plugin(name):
        return name
    for known in available:
        if name.lower() in (known.lower(), known.lower().removesuffix(_SUFFIX.lower())):
            return known
    raise InputError(
        f"the onnxruntime there has no provider '{name}'; choose from "
        f"{', '.join(map(short_name, available))}, or name the path of a plugin library"
    )
