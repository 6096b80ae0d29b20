"""Shows where a sparse encoder's time goes, layer by layer: `python benchmarks/encoder/layers.py`.

ONNX Runtime's profiler times every node of the model that run.py makes; the table goes to README.md too.
"""

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import readme
from models import entrant

from kaprune_runtime import library_path
from kaprune_runtime.deployment import MODEL

OUTSIDE = "outside"
Times = dict[str, dict[str, float]]
"""Layer -> operator -> milliseconds a run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/encoder"), help="folder for the models")
    parser.add_argument("--model", default="95 % 4x1")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--print", action="store_true", help="leave README.md as it is")
    arguments = parser.parse_args()
    times = profile(entrant(arguments.model, arguments.work).folder / MODEL, arguments.tokens, arguments.runs)
    text = f"{arguments.model}, {arguments.tokens} tokens, 1 thread:\n\n{table(times)}"
    print(text)
    if not arguments.print:
        readme.write("layers", text)


def profile(file: Path, tokens: int, runs: int) -> Times:
    """Take the median of each node over the runs, and sum them by layer and operator."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.register_custom_ops_library(str(library_path()))
    options.enable_profiling = True
    with TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(file, options)
        ids = np.random.default_rng(0).integers(1000, 30000, (1, tokens))
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        for _ in range(runs):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes = defaultdict(list)
    for event in events:
        if event["cat"] == "Node":
            nodes[event["name"], event["args"]["op_name"]].append(event["dur"] / 1000)
    times: Times = defaultdict(lambda: defaultdict(float))
    for (name, operator), milliseconds in nodes.items():
        layer = re.search(r"\.layer\.(\d+)\.", name)
        times[layer[1] if layer else OUTSIDE][operator] += median(milliseconds)
    return times


def table(times: Times) -> str:
    operators = sorted({each for layer, own in times.items() if layer != OUTSIDE for each in own})
    total = sum(sum(own.values()) for own in times.values())
    lines = [
        "| layer | " + " | ".join(f"{operator} ms" for operator in operators) + " | rest ms | share |",
        "| --- |" + " --: |" * (len(operators) + 2),
    ]

    def add(name: str, own: dict[str, float]) -> None:
        listed = [own.get(operator, 0.0) for operator in operators]
        cells = [f"{value:.2f}" for value in (*listed, sum(own.values()) - sum(listed))]
        lines.append(f"| {name} | {' | '.join(cells)} | {100 * sum(own.values()) / total:.1f} % |")

    for layer in sorted(times.keys() - {OUTSIDE}, key=int):
        add(layer, times[layer])
    add(OUTSIDE, times[OUTSIDE])
    sums = {operator: sum(own.get(operator, 0.0) for own in times.values()) for operator in operators}
    add("all", {**sums, "rest": total - sum(sums.values())})
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
