"""What the table says in a few numbers: students compared on the tasks that have both."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from encoders import MINILM, MPNET
from rows import Student

SPARSE, BLOCKS, DENSE = "unstructured-95-reconstruction", "4x1-95-reconstruction", "dense-95"
SPARSE_WIDE, BLOCKS_WIDE, DENSE_WIDE = "unstructured-95-wide", "4x1-95-wide", "dense-95-wide"
SPARSE_HEADLINE = "unstructured-95-headline"


@dataclass(frozen=True)
class Comparison:
    """One line: what is asked, and which rows answer it, by their names without encoder, task and seed."""

    says: str
    least: str
    aim: str
    recipe: str
    other: str = ""
    """The row that `recipe` should be ahead of; its teacher, which it should not fall far below, if empty."""
    instead: str = ""
    """The row that takes the place of `recipe` for tasks that have it."""
    encoder: str = MINILM


COMPARISONS = [
    Comparison("MPNet-base, 95 % unstructured, below the teacher", "2.0", "1.0", SPARSE, encoder=MPNET),
    Comparison("the same, more text", "2.0", "1.0", SPARSE_WIDE, encoder=MPNET),
    Comparison(
        "the same, CoLA divided by sensitivity, logits last",
        "2.0",
        "1.0",
        SPARSE_WIDE,
        instead=SPARSE_HEADLINE,
        encoder=MPNET,
    ),
    Comparison("90 % in 4x1 blocks, below the teacher", "3.0", "1.5", "4x1-90-reconstruction"),
    Comparison("the same, more text", "3.0", "1.5", "4x1-90-wide"),
    Comparison(
        "the same, fewer words replaced in copies", "3.0", "1.5", "4x1-90-wide", instead="4x1-90-gentle"
    ),
    Comparison("the same, divided by sensitivity, logits last", "3.0", "1.5", "4x1-90-headline"),
    Comparison("60 % unstructured without training, below the teacher", "2", "1", "unstructured-60-one-shot"),
    Comparison("95 % in 4x1 blocks, ahead of unstructured", "-1.0", "-0.3", BLOCKS, SPARSE),
    Comparison("the same, more text", "-1.0", "-0.3", BLOCKS_WIDE, SPARSE_WIDE),
    Comparison(
        "the same, blocks by soft movement", "-1.0", "-0.3", f"{BLOCKS_WIDE}-soft-movement", SPARSE_WIDE
    ),
    Comparison("95 % unstructured, ahead of dense of equal weights", "3", "6", SPARSE, DENSE),
    Comparison("the same, equal time of training", "1", "4", SPARSE, "dense-95-long"),
    Comparison("the same at equal steps, more text", "3", "6", SPARSE_WIDE, DENSE_WIDE),
    Comparison(
        "the same, divided by sensitivity, both with logits last",
        "3",
        "6",
        SPARSE_HEADLINE,
        "dense-95-headline",
    ),
    Comparison("95 % unstructured, ahead of dense of 3.6 times the weights", "0", "2", SPARSE, "dense-82"),
    Comparison("the same, more text", "0", "2", SPARSE_WIDE, "dense-82-wide"),
    Comparison(
        "the same, divided by sensitivity, both with logits last",
        "0",
        "2",
        SPARSE_HEADLINE,
        "dense-82-headline",
    ),
    Comparison(
        "95 % unstructured, reconstruction ahead of magnitude",
        "0.5",
        "1.5",
        SPARSE,
        "unstructured-95-magnitude",
    ),
]


def comparisons(found: list[Student]) -> str:
    """Make the table: points, mean over the tasks and each."""
    lines = ["| | at least | aim | mean | tasks |", "| --- | --: | --: | --: | --- |"]
    for comparison in COMPARISONS:
        points = dict(_points(comparison, found))
        if points:
            tasks = ", ".join(f"{task} {value:.1f}" for task, value in points.items())
            lines.append(
                f"| {comparison.says} | {comparison.least} | {comparison.aim} "
                f"| {mean(points.values()):.1f} | {tasks} |"
            )
    return "\n".join(lines) + "\n"


def _points(comparison: Comparison, found: list[Student]) -> Iterable[tuple[str, float]]:
    of_encoder = [student for student in found if student.about["teacher"] == comparison.encoder]
    own, others, instead = (
        {student.task: student for student in of_encoder if student.recipe == recipe}
        for recipe in (comparison.recipe, comparison.other, comparison.instead)
    )
    for task, student in (own | instead).items():
        if not comparison.other:
            yield task, student.drop
        elif task in others:
            yield task, student.result - others[task].result
