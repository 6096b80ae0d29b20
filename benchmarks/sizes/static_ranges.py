"""Compares ways to round what packed matrices multiply, and writes README.md's table of it.

`python benchmarks/sizes/static_ranges.py --glue DIR RUN...` takes runs of `kaprune-edge prune` on GLUE.
Each way's error is that of the product, on training rows that no range was taken from, weights being exact.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import yaml

from kaprune_edge.export.calibration import Probe, draw_rows, find_factors, round_rows
from kaprune_edge.export.passes import optimization
from kaprune_edge.export.source import open_source
from kaprune_edge.tasks import load_task

README = Path(__file__).parent / "README.md"
START, END = "<!-- ranges -->\n", "<!-- end of ranges -->\n"
SHARES = 2.0 ** -np.arange(0, 4.5, 0.5)
"""Of the largest magnitude that was seen: ranges to choose the best of."""
KINDS = {
    "self.query": "query, key, value",
    "attention.output": "attention's output",
    "intermediate": "first of feed-forward",
    "output": "second of feed-forward",
}
"""Part of a name -> its product, the first that fits."""

Rounding = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders")
    parser.add_argument("--glue", required=True, type=Path, help="folder of a GLUE download")
    arguments = parser.parse_args()
    rows = [line for run in arguments.runs for line in table(run.name, compare(run, arguments.glue))]
    head = [
        "| run | product | static | per token, cut off | factors | products where static is better |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    before, rest = README.read_text().split(START)
    README.write_text(before + START + "\n".join([*head, *rows]) + "\n" + END + rest.split(END)[1])


def compare(run: Path, glue: Path) -> dict[str, np.ndarray]:
    """Give each product's squared errors: per token, one static range, per token up to one, with factors."""
    name = yaml.safe_load((run / "recipe.yaml").read_text())["task"].partition(":")[0]
    source = open_source(run)
    optimization(integers=True)(source.model)
    measured, judged = draw_rows(source, load_task(f"{name}:{glue}"))
    factors = find_factors(source.model, measured, judged)
    probe = Probe(source.model)
    largest: dict[str, float] = defaultdict(float)
    for x, tokens in probe.run(measured):
        largest[x] = max(largest[x], float(np.abs(tokens).max()))
    tried: dict[str, np.ndarray] = defaultdict(lambda: np.zeros((2, len(SHARES))))
    for x, tokens in probe.run(measured):
        for way, rounding in enumerate((static, cut_off)):
            tried[x][way] += [error(tokens, probe.weights[x], rounding(largest[x] * each)) for each in SHARES]
    errors: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(4))
    for x, tokens in probe.run(judged):
        ranges = largest[x] * SHARES[tried[x].argmin(axis=1)]
        ways = round_rows, static(ranges[0]), cut_off(ranges[1]), equalized(factors, probe.names[x][0])
        errors[probe.names[x][0]] += [error(tokens, probe.weights[x], way) for way in ways]
    return errors


def static(largest: float) -> Rounding:
    """Round everything to multiples of 1/127 of one magnitude, and what is larger to that."""
    step = largest / 127
    return lambda x: np.clip(np.rint(x / step), -127, 127) * step


def cut_off(largest: float) -> Rounding:
    """Round each token by its own largest magnitude, or a lower one that holds for all."""
    return lambda x: round_rows(np.clip(x, -largest, largest))


def equalized(factors: Mapping[str, np.ndarray], name: str) -> Rounding:
    """Round each token by its own largest magnitude, with the factors of `--calibrate`."""
    own = factors.get(name, np.float32(1))
    return lambda x: round_rows(x * own) / own


def error(x: np.ndarray, weight: np.ndarray, rounding: Rounding) -> float:
    return float(np.square((rounding(x) - x) @ weight.T).sum())


def table(run: str, errors: Mapping[str, np.ndarray]) -> list[str]:
    """Give a line for each kind of product: errors (root mean square) in terms of rounding per token's."""
    groups = defaultdict(list)
    for name, each in errors.items():
        groups[next(kind for part, kind in KINDS.items() if part in name)].append(each)
    lines = []
    for kind, each in groups.items():
        ratios = np.exp(np.mean([np.log(one[1:] / one[0]) / 2 for one in each], axis=0))
        best = sum(int(one[1] < one[0]) for one in each)
        cells = [f"{ratio:.2f}" for ratio in ratios]
        lines.append(f"| {'' if lines else run} | {kind} | {' | '.join(cells)} | {best} of {len(each)} |")
    return lines


if __name__ == "__main__":
    main()
