"""Prints how the sparse encoder does against its aims, and writes README.md's tables and picture.

`python benchmarks/encoder/table.py` reads results.json, here and in benchmarks/kernels, and minilm.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import readme
from aims import aims, minilm_aim
from matplotlib.ticker import NullLocator

HERE = Path(__file__).parent
KERNELS = HERE.parent / "kernels" / "results.json"
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results.json", help="what run.py wrote")
    parser.add_argument("--minilm", type=Path, default=HERE / "minilm.json", help="what run.py wrote of it")
    parser.add_argument("--kernels", type=Path, default=KERNELS, help="what the kernel benchmark wrote")
    parser.add_argument("--print", action="store_true", help="leave README.md as it is")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text())
    summary = aims(results, json.loads(arguments.kernels.read_text())["results"])
    of_minilm = json.loads(arguments.minilm.read_text())
    minilm = f"{minilm_aim(of_minilm)}\n{tables(of_minilm)}"
    print(summary, minilm, sep="\n")
    if not arguments.print:
        readme.write("aims", summary)
        readme.write("tables", tables(results))
        readme.write("minilm", minilm)
        draw(results["rows"], HERE / "latency.png")


def tables(results: dict[str, Any]) -> str:
    machine = results["machine"]
    lines = [
        f"{machine['processor']} ({', '.join(machine['features'])}), {machine['cores']} cores, onnxruntime "
        f"{machine['onnxruntime']}. Medians of {results['rounds']} turns of {results['runs']} "
        "runs; in brackets times as fast as dense, turn by turn.",
        "",
    ]
    for threads in sorted({row["threads"] for row in results["rows"]}):
        rows = [row for row in results["rows"] if row["threads"] == threads]
        lengths = sorted({row["tokens"] for row in rows})
        lines += [
            f"Milliseconds, {threads} thread{'s' * (threads > 1)}, batch 1:",
            "",
            "| model | " + " | ".join(f"{tokens} tokens" for tokens in lengths) + " |",
            "| --- |" + " --: |" * len(lengths),
        ]
        for model in dict.fromkeys(row["model"] for row in rows):
            cells = {row["tokens"]: row for row in rows if row["model"] == model}
            lines.append(f"| {model} | " + " | ".join(cell(cells[tokens]) for tokens in lengths) + " |")
        lines.append("")
    lines += ["128 tokens, 1 thread:", "", "| model | load s | peak memory MB |", "| --- | --: | --: |"]
    for row in results["rows"]:
        if (row["tokens"], row["threads"]) == (128, 1):
            memory = row["peak_memory_bytes"] / 1e6
            lines.append(f"| {row['model']} | {row['load_seconds']:.2f} | {memory:.0f} |")
    return "\n".join(lines) + "\n"


def cell(row: Row) -> str:
    return f"{row['median_ms']:.1f} ({row['speedup']:.2f}x)"


def draw(rows: list[Row], file: Path) -> None:
    """Draw latency over length, one thread."""
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    axes.set_prop_cycle(color=plt.get_cmap("tab20").colors)
    for model in dict.fromkeys(row["model"] for row in rows):
        points = [
            (row["tokens"], row["median_ms"]) for row in rows if row["model"] == model and row["threads"] == 1
        ]
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=model)
    axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel="milliseconds, one thread")
    ticks = sorted({row["tokens"] for row in rows})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3)
    figure.legend(fontsize="small", loc="outside right upper")
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
