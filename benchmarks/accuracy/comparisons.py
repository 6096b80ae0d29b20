"""What the table says in a few numbers: students compared on the tasks that have both."""

from collections.abc import Iterable
from statistics import mean

from rows import Student

UNSTRUCTURED, BLOCKS = "unstructured-95-reconstruction", "4x1-95-reconstruction"
COMPARISONS = [
    ("95 % unstructured, ahead of a dense student of equal weights", UNSTRUCTURED, "dense-95", "3", "6"),
    (
        "95 % unstructured, ahead of a dense student of 3.6 times the weights",
        UNSTRUCTURED,
        "dense-82",
        "0",
        "2",
    ),
    (
        "95 % unstructured, reconstruction ahead of magnitude",
        UNSTRUCTURED,
        "unstructured-95-decay",
        "0.5",
        "1.5",
    ),
    ("95 % in 4x1 blocks, ahead of unstructured", BLOCKS, UNSTRUCTURED, "-1.0", "-0.3"),
]
"""What is compared, the two rows' names without task and seed, and the least and the aim."""
DROPS = [
    ("95 % unstructured, below the teacher", UNSTRUCTURED, "", ""),
    ("90 % in 4x1 blocks, below the teacher", "4x1-90-reconstruction", "3.0", "1.5"),
    ("60 % unstructured without training, below the teacher", "unstructured-60-one-shot", "2", "1"),
]


def comparisons(found: list[Student]) -> str:
    """Make the table: points, mean over the tasks and each."""
    results = {(student.recipe, student.task): student for student in found}
    tasks = sorted({student.task for student in found})
    lines = ["| | at least | aim | mean | tasks |", "| --- | --: | --: | --: | --- |"]

    def add(name: str, least: str, aim: str, points: Iterable[tuple[str, float]]) -> None:
        each = dict(points)
        if each:
            listed = ", ".join(f"{task} {value:.1f}" for task, value in each.items())
            lines.append(f"| {name} | {least} | {aim} | {mean(each.values()):.1f} | {listed} |")

    for name, one, other, least, aim in COMPARISONS:
        both = [task for task in tasks if (one, task) in results and (other, task) in results]
        add(
            name,
            least,
            aim,
            [(task, results[one, task].result - results[other, task].result) for task in both],
        )
    for name, one, least, aim in DROPS:
        add(name, least, aim, [(task, results[one, task].drop) for task in tasks if (one, task) in results])
    return "\n".join(lines) + "\n"
