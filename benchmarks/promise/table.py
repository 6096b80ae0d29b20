"""Writes the table of benchmarks/promise/README.md and its picture from runs.jsonl.

python benchmarks/promise/table.py
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.ticker import ScalarFormatter

HERE = Path(__file__).parent
HEAD = (
    "| task | limit | seed | teacher | dense int8 | delivered | drop | told | sparsity "
    "| ms | dense int8, ms | speed | file, MB | dense int8, MB | promise |"
)
Run = Mapping[str, Any]


def main() -> None:
    """Write both."""
    lines = (HERE / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    runs = sorted(map(json.loads, lines), key=lambda run: (run["limit_seconds"], run["task"], run["seed"]))
    readme = HERE / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split("<!-- table -->\n")
    after = rest.split("<!-- end of table -->\n")[1]
    text = "\n".join([*_table(runs), "", *_summary(runs), ""])
    readme.write_text(f"{before}<!-- table -->\n{text}<!-- end of table -->\n{after}", encoding="utf-8")
    _draw(runs, HERE / "promise.png")


def drop(run: Run) -> float:
    """Points that the delivered model loses on the evaluation rows."""
    return 100 * (run["evaluation"]["dense_float32"] - run["evaluation"]["delivered"])


def told(run: Run) -> Mapping[str, float]:
    """The drop on held-out rows and its interval."""
    return next(step["drop"] for step in run["ladder"] if _name(step) == run["delivered"])


def is_kept(run: Run) -> bool:
    """Whether the evaluation rows keep the promise, within the interval told."""
    return drop(run) <= max(run["max_drop"], told(run)["high"])


def _name(step: Mapping[str, Any]) -> str:
    attempt = step["attempt"]
    return f"{attempt['number']:02}-{100 * attempt['sparsity']:g}"


def _table(runs: Iterable[Run]) -> Iterable[str]:
    yield HEAD
    yield "| --- " * HEAD.count(" |") + "|"
    for run in runs:
        scores, times, sizes, said = run["evaluation"], run["latency_ms"], run["file_bytes"], told(run)
        cells = (
            run["task"],
            f"{run['limit_seconds'] / 60:g} min",
            run["seed"],
            *(f"{100 * scores[name]:.1f}" for name in ("dense_float32", "dense_int8", "delivered")),
            f"{drop(run):.1f}",
            f"{said['points']:.1f} ({said['low']:.1f} to {said['high']:.1f})",
            f"{run['delivered'].partition('-')[2]} %",
            *(f"{times[name]:.1f}" for name in ("delivered", "dense_int8")),
            f"**{run['speedup']:.1f}x**",
            *(f"{sizes[name] / 1e6:.1f}" for name in ("delivered", "dense_int8")),
            "kept" if is_kept(run) else "missed",
        )
        yield f"| {' | '.join(map(str, cells))} |"


def _summary(runs: Sequence[Run]) -> Iterable[str]:
    for limit, group in _grouped(runs, "limit_seconds").items():
        speeds = [geometric_mean(run["speedup"] for run in of) for of in _grouped(group, "task").values()]
        kept = sum(map(is_kept, group))
        yield (
            f"- {limit / 60:g} minutes: {geometric_mean(speeds):.1f} times dense int8 (geometric mean of "
            f"{len(speeds)} tasks); promise kept in {kept} of {len(group)} runs."
        )


def _grouped(runs: Iterable[Run], by: str) -> dict[Any, list[Run]]:
    groups = defaultdict(list)
    for run in runs:
        groups[run[by]].append(run)
    return groups


def _draw(runs: Sequence[Run], file: Path) -> None:
    """Draw speed over drop, a colour a task, a mark a time limit."""
    figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
    limits, tasks = (sorted({run[name] for run in runs}) for name in ("limit_seconds", "task"))
    for run in runs:
        panel.plot(
            drop(run),
            run["speedup"],
            "os^v"[limits.index(run["limit_seconds"]) % 4],
            color=plt.colormaps["tab10"](tasks.index(run["task"])),
            label=f"{run['task']}, {run['limit_seconds'] / 60:g} min",
        )
    panel.axvline(1, color="grey", linewidth=1)
    panel.axhline(1, color="grey", linewidth=1)
    panel.set(xlabel="points lost on the evaluation rows", ylabel="times as fast as dense int8", yscale="log")
    panel.yaxis.set_major_formatter(ScalarFormatter())
    panel.set_yticks([1, 2, 3, 4, 6], ["1", "2", "3", "4", "6"])
    panel.minorticks_off()
    labels = dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
    figure.legend(labels.values(), labels, loc="outside right upper", fontsize="small")
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
