"""The raw runs as rows, and rows that differ in nothing but the seed together."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import yaml
from encoders import ENCODERS, MINILM

from kaprune_edge.recipe import DistillRecipe, PruneRecipe, make_recipe

HERE = Path(__file__).parent
TEACHER = "-teacher"
"""Ends the names of rows that make a teacher and no student."""

Row = dict[str, Any]


def read_rows() -> list[Row]:
    """Reduce every run's metrics.json to a row, in the order of the table."""
    rows = [_row(file) for file in (HERE / "runs").glob("*.json") if not file.stem.endswith(TEACHER)]
    return sorted(
        rows, key=lambda row: (row["teacher"], row["task"], row["sparsity"], row["pattern"], row["row"])
    )


def _row(file: Path) -> Row:
    """Make a row; a dense student's sparsity is the share of weights that it lacks."""
    run = json.loads(file.read_text())
    recipe_file = HERE / "recipes" / f"{file.stem}.yaml"
    pruned = run["method"] != "distill"
    kind = PruneRecipe if pruned else DistillRecipe
    recipe = make_recipe(kind, recipe_file, {} if not pruned else {"model": MINILM})
    encoder = yaml.safe_load(recipe_file.read_text()).get("model", MINILM)
    name, metric = next(iter(run["metrics"].items()))
    return {
        "row": file.stem,
        "teacher": encoder if encoder in ENCODERS else MINILM,
        "task": recipe.task,
        "train_rows": run["train_rows"],
        "augment": recipe.augment,
        "replaced_share": recipe.replaced_share,
        "unlabelled": run.get("unlabelled", 0),
        "method": run["method"],
        "pattern": run["pattern"] if pruned else f"dense {run['student']}",
        "sparsity": round(1 - run["encoder_weights"] / run["teacher_encoder_weights"], 3),
        "criterion": recipe.criterion if isinstance(recipe, PruneRecipe) else None,
        "budget": recipe.budget if isinstance(recipe, PruneRecipe) else None,
        "logits_only": recipe.losses.logits_only,
        "seed": run["seed"],
        "steps": run["steps"],
        "learning_rate": recipe.training.learning_rate if run["steps"] else None,
        "decay": recipe.training.decay if run["steps"] else None,
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
        return str(self.about["task"].partition("/")[2])

    @property
    def recipe(self) -> str:
        """The row's name without encoder, task and seed."""
        return _without_seed(self.about).partition(f"{self.task}-")[2]

    @property
    def texts(self) -> int:
        """How many different ones it learnt from, copies and those without labels included."""
        return int(self.about["train_rows"] * (1 + self.about["augment"]) + self.about["unlabelled"])

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
        runs.setdefault(_without_seed(row), []).append(row)
    return [Student(each) for each in runs.values()]


def _without_seed(row: Row) -> str:
    return re.sub(r"-seed\d+$", "", row["row"])
