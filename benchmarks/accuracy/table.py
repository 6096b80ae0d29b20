"""Writes summary.json and the table of README.md from runs/: `python benchmarks/accuracy/table.py`."""

import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
TEACHER = "all-MiniLM-L6-v2"


def main() -> None:
    rows = [summary(file) for file in sorted((HERE / "runs").glob("*.json"))]
    rows.sort(
        key=lambda row: (row["task"], round(row["sparsity"], 2), -row["steps"], row["pattern"], row["row"])
    )
    (HERE / "summary.json").write_text(json.dumps(rows, indent=2) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    after = rest.split(END)[1]
    readme.write_text(before + START + table(rows) + END + after)


def summary(file: Path) -> dict[str, Any]:
    """Reduce a run's metrics.json to a row; a dense student's sparsity is the share of weights it lacks."""
    run = json.loads(file.read_text())
    recipe = yaml.safe_load((HERE / "recipes" / f"{file.stem}.yaml").read_text())
    name, metric = next(iter(run["metrics"].items()))
    pruned = run["method"] != "distill"
    return {
        "row": file.stem,
        "teacher": TEACHER,
        "task": run["task"],
        "train_rows": run["train_rows"],
        "method": run["method"],
        "pattern": run["pattern"] if pruned else f"dense {run['student']}",
        "sparsity": round(1 - run["encoder_weights"] / run["teacher_encoder_weights"], 3),
        "criterion": run.get("criterion", "magnitude") if pruned else None,
        "seed": run["seed"],
        "steps": run["steps"],
        "learning_rate": recipe["training"]["learning_rate"] if run["steps"] else None,
        "decay": recipe["training"].get("decay", "constant") if run["steps"] else None,
        "seconds": run["seconds"],
        "metric_name": name,
        "metric": metric,
        "teacher_metric": run["teacher_metrics"][name],
        "encoder_weights": run["encoder_weights"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| task | metric | teacher | student | criterion | encoder weights | steps | rate | result | drop |",
        "| --- | --- | --: | --- | --- | --: | --: | --- | --: | --: |",
    ]
    for row in rows:
        metric, teacher = 100 * row["metric"], 100 * row["teacher_metric"]
        student = row["pattern"]
        rate = f"{row['learning_rate']:g} {row['decay']}" if row["steps"] else ""
        if row["method"] != "distill":
            student = f"{row['sparsity']:.0%} {student}"
        lines.append(
            f"| {row['task'].split()[0]} | {row['metric_name']} | {teacher:.1f} | {student} "
            f"| {row['criterion'] or ''} | {row['encoder_weights']:,} | {row['steps'] or 'one-shot'} "
            f"| {rate} | {metric:.1f} | {teacher - metric:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
