"""Builds and runs the kernel benchmark: `python benchmarks/kernels/run.py`, a minute and a half on one core.

Writes results.json and the table of README.md.
"""

import argparse
import json
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
    command = [arguments.work / "benchmark", "brief" if arguments.brief else "all"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    if arguments.brief:
        print(done.stdout)
        return
    results = {"machine": asdict(describe_machine()), **json.loads(done.stdout)}
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + table(results) + END + rest.split(END)[1])


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


if __name__ == "__main__":
    main()
