"""Reruns rows of the accuracy table: `python benchmarks/accuracy/run.py --glue DIR [ROW ...]`.

A row is a file in recipes/; its raw result goes to runs/. Rows share the teacher that the row
TASK-teacher fine-tunes (and leaves unpruned), which is trained first.
"""

import argparse
import shutil
from pathlib import Path

import yaml
from encoders import ENCODERS, MINILM
from texts import TEXTS

from kaprune_edge.recipe import DistillRecipe, PruneRecipe, make_recipe
from kaprune_edge.workflow import distill, prune
from kaprune_edge_cli.console import progress

HERE = Path(__file__).parent
RECIPES, RESULTS = HERE / "recipes", HERE / "runs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", help="names in recipes/; all when none is given")
    parser.add_argument("--glue", required=True, type=Path, help="folder of a GLUE download")
    parser.add_argument("--work", default=Path("build/accuracy"), type=Path, help="folder for the runs")
    arguments = parser.parse_args()
    for row in arguments.rows or sorted(path.stem for path in RECIPES.glob("*.yaml")):
        make(row, arguments.glue, arguments.work)


def make(row: str, glue: Path, work: Path) -> None:
    """Train one row unless it is there, after the one whose teacher it has."""
    if not (work / row).exists():
        run(row, glue, work)
    shutil.copy(work / row / "metrics.json", RESULTS / f"{row}.json")


def run(row: str, glue: Path, work: Path) -> None:
    """Train one row, or go on with it where it was interrupted."""
    file = RECIPES / f"{row}.yaml"
    content = yaml.safe_load(file.read_text())
    overrides = {"task": f"{content['task']}:{glue}"}
    if "teacher" in content:
        overrides["teacher"] = str(work / content["teacher"])
        if not (work / content["teacher"]).exists():
            make(content["teacher"].partition("/")[0], glue, work)
    if "unlabelled" in content:
        overrides["unlabelled"] = str(TEXTS[content["unlabelled"]](work, glue))
    resume = (work / f".{row}.partial").exists()
    print(row, flush=True)
    with progress() as watch:
        if "student" in content:
            distill(make_recipe(DistillRecipe, file, overrides), work / row, resume=resume, progress=watch)
        else:
            model = content.get("model", MINILM)
            if model not in ENCODERS and not (work / model).exists():
                make(model, glue, work)
            overrides["model"] = str(ENCODERS[model](work) if model in ENCODERS else work / model)
            prune(make_recipe(PruneRecipe, file, overrides), work / row, resume=resume, progress=watch)


if __name__ == "__main__":
    main()
