"""Writes README.md's table of how students agree with their teacher, on texts they learnt from and on others.

`python benchmarks/accuracy/agreement.py --glue DIR --work DIR ROW...` takes rows that are trained there.
"""

import argparse
from pathlib import Path

import numpy as np
import yaml
from datasets import Dataset
from rows import HERE
from table import write

from kaprune_edge.evaluation import predict_logits
from kaprune_edge.models import load_classifier, load_tokenizer
from kaprune_edge.progress import Silent
from kaprune_edge.tasks import Task, load_task, tokenize

LEARNT = 2000
"""Of the training rows, these are asked."""
LONGEST = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="+", help="names in recipes/")
    parser.add_argument("--glue", required=True, type=Path, help="folder of a GLUE download")
    parser.add_argument("--work", default=Path("build/accuracy"), type=Path, help="folder of the runs")
    arguments = parser.parse_args()
    lines = ["| row | on texts it learnt from | on others |", "| --- | --: | --: |"]
    for row in arguments.rows:
        recipe = yaml.safe_load((HERE / "recipes" / f"{row}.yaml").read_text())
        task = load_task(f"{recipe['task']}:{arguments.glue}", train_rows=recipe.get("train_rows"))
        learnt = task.train.select(range(LEARNT))
        asked = [
            agreement(task, rows, arguments.work / row, arguments.work / recipe["teacher"])
            for rows in (learnt, task.evaluation)
        ]
        lines.append(f"| {row} | {' | '.join(f'{share:.1%}' for share in asked)} |")
    write("agreement", "\n".join(lines) + "\n")


def agreement(task: Task, texts: Dataset, *checkpoints: Path) -> float:
    """Give the share of texts to which two classifiers give the same label."""
    answers = []
    for checkpoint in checkpoints:
        tokenizer = load_tokenizer(str(checkpoint))
        model = load_classifier(str(checkpoint), task, fine_tuned=True)
        rows = tokenize(texts, task, tokenizer, LONGEST)
        answers.append(predict_logits(model, rows, tokenizer, Silent()).argmax(axis=1))
    return float(np.mean(answers[0] == answers[1]))


if __name__ == "__main__":
    main()
