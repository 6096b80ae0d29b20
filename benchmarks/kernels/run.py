"""Builds and runs the kernel benchmark: `python benchmarks/kernels/run.py`, four minutes on one core.

Writes results.json and the tables of README.md.
"""

import argparse
import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kaprune_runtime.machine import describe_machine

HERE = Path(__file__).parent
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
SPARSITY, TOKENS = 0.95, 128
"""What one of the two is while the table varies the other."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/kernels"), help="folder for the build")
    parser.add_argument(
        "--brief", action="store_true", help="only 90 and 95 %% at 128 tokens, written nowhere"
    )
    arguments = parser.parse_args()
    subprocess.run(["cmake", "-S", HERE, "-B", arguments.work, "-DCMAKE_BUILD_TYPE=Release"], check=True)
    subprocess.run(["cmake", "--build", arguments.work, "--target", "benchmark"], check=True)
    if arguments.brief:
        print(json.dumps(measure(arguments.work, "brief")))
        return
    results = {"machine": asdict(describe_machine()), **measure(arguments.work, "all")}
    sets = [measure(arguments.work, "brief", name) for name in results["available"]]
    results["instruction_sets"] = sets
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    tables = f"{table(results)}\n{table_of_sets(sets)}"
    readme.write_text(before + START + tables + END + rest.split(END)[1])


def measure(work: Path, extent: str, instruction_set: str | None = None) -> dict[str, Any]:
    """Run the benchmark with the best instruction set, or one that the machine has besides."""
    chosen = {"KAPRUNE_INSTRUCTION_SET": instruction_set} if instruction_set else {}
    done = subprocess.run(
        [work / "benchmark", extent],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **chosen},
    )
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def table(results: dict[str, Any]) -> str:
    rows = results["results"]
    tokens = sorted({row["tokens"] for row in rows})
    sparsities = sorted({row["sparsity"] for row in rows} - {SPARSITY})
    columns = [(SPARSITY, each) for each in tokens] + [(each, TOKENS) for each in sparsities]
    lines = [
        f"Per cent of peak ({results['peak_gflops']} GFLOP/s, {results['instruction_set']}, one core) on "
        f"{results['machine']['processor']}, compiled by {results['compiler']}:",
        "",
        "| pattern | matrix | "
        + " | ".join(f"{100 * sparsity:.0f} %, {count}" for sparsity, count in columns)
        + " |",
        "| --- | --- |" + " --: |" * len(columns),
    ]
    found = {
        (row["pattern"], *row["shape"], row["sparsity"], row["tokens"]): row["percent_of_peak"]
        for row in rows
    }
    for pattern, height, width in dict.fromkeys((row["pattern"], *row["shape"]) for row in rows):
        cells = [f"{found[pattern, height, width, *column]:.0f}" for column in columns]
        lines.append(f"| {pattern} | {height} x {width} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def table_of_sets(sets: list[dict[str, Any]]) -> str:
    patterns = list(dict.fromkeys(row["pattern"] for row in sets[0]["results"]))
    lines = [
        f"GFLOP/s at {100 * SPARSITY:.0f} %, {TOKENS} tokens, by instruction set:",
        "",
        "| instructions | peak | matrix | " + " | ".join(patterns) + " |",
        "| --- | --: | --- |" + " --: |" * len(patterns),
    ]
    for each in sets:
        rows = [row for row in each["results"] if row["sparsity"] == SPARSITY]
        for height, width in dict.fromkeys(tuple(row["shape"]) for row in rows):
            cells = [f"{row['gflops']:.0f}" for row in rows if row["shape"] == [height, width]]
            lines.append(
                f"| {each['instruction_set']} | {each['peak_gflops']:.0f} | {height} x {width} | "
                + " | ".join(cells)
                + " |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
