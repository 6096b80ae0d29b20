"""Scores trained models before and after each step of rounding, and writes README.md's table of it.

`python benchmarks/sizes/accuracy.py --glue DIR RUN...` takes run folders of `kaprune-edge prune` on GLUE,
keeps what it finds in accuracy.json, and leaves the rows of other runs there as they are.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from kaprune_edge.export import export_model
from kaprune_edge.tasks import load_task
from kaprune_runtime import Classifier

HERE = Path(__file__).parent
RESULTS = HERE / "accuracy.json"
START, END = "<!-- accuracy -->\n", "<!-- end of accuracy -->\n"
STEPS: dict[str, dict[str, Any]] = {
    "float32": {},
    "int8 weights": {"quantize": "int8"},
    "and int8 embeddings": {"quantize": "int8", "embeddings": "int8"},
    "and int4 embeddings": {"quantize": "int8", "embeddings": "int4"},
}
CALIBRATED = ", calibrated"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders")
    parser.add_argument("--glue", required=True, type=Path, help="folder of a GLUE download")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for run in arguments.runs:
        results[run.name] = list(score(run, arguments.glue))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + table(results) + END + rest.split(END)[1])


def score(run: Path, glue: Path) -> Iterator[dict[str, Any]]:
    """Give the metrics after each step, and how far logits moved from float32's."""
    name = yaml.safe_load((run / "recipe.yaml").read_text())["task"].partition(":")[0]
    task = load_task(f"{name}:{glue}")
    texts = [list(task.evaluation[column]) for column in task.text_columns]
    exact: np.ndarray | None = None
    calibrated = [
        (step + CALIBRATED, {**options, "calibrate": task}) for step, options in STEPS.items() if options
    ]
    for step, options in [*STEPS.items(), *calibrated]:
        with TemporaryDirectory() as scratch:
            folder = Path(scratch) / "deployment"
            export_model(run, folder, target="portable", **options)
            logits = Classifier(folder).logits(*texts, max_length=128)
        exact = logits if exact is None else exact
        moved = np.abs(logits - exact)
        yield {
            "step": step,
            "task": name,
            "rows": len(logits),
            "metrics": task.score(logits, np.asarray(task.evaluation["label"])),
            "other_answers": int((logits.argmax(1) != exact.argmax(1)).sum()),
            "mean_difference": float(moved.mean()),
            "largest_difference": float(moved.max()),
        }


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    lines = [
        "| run | | metrics | other answers | mean, largest difference of a logit |",
        "| --- | --- | --- | --: | --: |",
    ]
    for run, steps in results.items():
        for index, step in enumerate(steps):
            metrics = ", ".join(f"{name} {100 * value:.2f}" for name, value in step["metrics"].items())
            changes = f"{step['other_answers']} of {step['rows']:,}" if index else ""
            moved = f"{step['mean_difference']:.4f}, {step['largest_difference']:.3f}" if index else ""
            lines.append(f"| {'' if index else run} | {step['step']} | {metrics} | {changes} | {moved} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
