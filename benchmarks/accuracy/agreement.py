"""Writes README.md's table of how near students come to their teacher, on texts learnt from and on others.

`python benchmarks/accuracy/agreement.py --glue DIR --work DIR ROW...` takes rows that are trained there.
"""

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import yaml
from datasets import Dataset
from rows import HERE
from table import write
from torch import Tensor
from torch.nn import functional

from kaprune_edge.checkpoints import load_classifier, load_tokenizer
from kaprune_edge.evaluation import predict_logits
from kaprune_edge.progress import Silent
from kaprune_edge.tasks import load_task, tokenize

LEARNT = 2000
"""Of the training rows, these are asked."""
LONGEST = 128


@dataclass(frozen=True)
class Answers:
    """Log-probabilities of the labels, [texts, labels]."""

    learnt: Tensor
    others: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="+", help="names in recipes/")
    parser.add_argument("--glue", required=True, type=Path, help="folder of a GLUE download")
    parser.add_argument("--work", default=Path("build/accuracy"), type=Path, help="folder of the runs")
    arguments = parser.parse_args()
    lines = [
        "| row | same answer on texts it learnt from | on others | divergence on others |",
        "| --- | --: | --: | --: |",
    ]
    for row in arguments.rows:
        recipe = yaml.safe_load((HERE / "recipes" / f"{row}.yaml").read_text())
        task = f"{recipe['task']}:{arguments.glue}", recipe.get("train_rows")
        student, teacher = (ask(arguments.work / name, *task) for name in (row, recipe["teacher"]))
        lines.append(
            f"| {row} | {agreement(student.learnt, teacher.learnt):.1%} "
            f"| {agreement(student.others, teacher.others):.1%} "
            f"| {divergence(student.others, teacher.others):.3f} |"
        )
    write("agreement", "\n".join(lines) + "\n")


@cache
def ask(checkpoint: Path, task_name: str, train_rows: int | None) -> Answers:
    """Ask a classifier about training and evaluation rows of a task."""
    task = load_task(task_name, train_rows=train_rows)
    tokenizer = load_tokenizer(str(checkpoint))
    model = load_classifier(str(checkpoint), task, fine_tuned=True)

    def answer(rows: Dataset) -> Tensor:
        logits = predict_logits(model, tokenize(rows, task, tokenizer, LONGEST), tokenizer, Silent())
        return torch.from_numpy(logits).log_softmax(dim=1)

    return Answers(answer(task.train.select(range(LEARNT))), answer(task.evaluation))


def agreement(student: Tensor, teacher: Tensor) -> float:
    """Give the share of texts to which both give the same label."""
    return float((student.argmax(dim=1) == teacher.argmax(dim=1)).float().mean())


def divergence(student: Tensor, teacher: Tensor) -> float:
    """Give the Kullback-Leibler divergence of the student from the teacher, mean over the texts, in nats."""
    return float(functional.kl_div(student, teacher, log_target=True, reduction="batchmean"))


if __name__ == "__main__":
    main()
