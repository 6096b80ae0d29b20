"""The raw runs as rows, and rows that differ in nothing but the seed together."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

HERE = Path(__file__).parent
TEACHER = "all-MiniLM-L6-v2"

Row = dict[str, Any]


def read_rows() -> list[Row]:
    """Reduce every run's metrics.json to a row, in the order of the table."""
    rows = [_row(file) for file in sorted((HERE / "runs").glob("*.json"))]
    rows.sort(
        key=lambda row: (row["task"], round(row["sparsity"], 2), -row["steps"], row["pattern"], row["row"])
    )
    return rows


def _row(file: Path) -> Row:
    """Make a row; a dense student's sparsity is the share of weights that it lacks."""
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


@dataclass(frozen=True)
class Student:
    """One student, trained with one seed or several."""

    runs: list[Row]

    @property
    def about(self) -> Row:
        """What its runs have in common."""
        return self.runs[0]

    @property
    def task(self) -> str:
        """The task's name in the names of rows."""
        return str(self.about["row"].split("-")[0])

    @property
    def recipe(self) -> str:
        """The row's name without task and seed."""
        return str(self.about["row"].partition("-")[2].partition("-seed")[0])

    @property
    def result(self) -> float:
        """Mean over the seeds, in per cent."""
        return 100 * mean(run["metric"] for run in self.runs)

    @property
    def spread(self) -> float:
        """Half the distance between the best and the worst seed, in points."""
        results = [100 * run["metric"] for run in self.runs]
        return (max(results) - min(results)) / 2

    @property
    def drop(self) -> float:
        """Points below the teacher."""
        return 100 * mean(run["teacher_metric"] for run in self.runs) - self.result


def students(rows: list[Row]) -> list[Student]:
    """Gather the seeds of each student."""
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row["row"].partition("-seed")[0], []).append(row)
    return [Student(each) for each in runs.values()]
