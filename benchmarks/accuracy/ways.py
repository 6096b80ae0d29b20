"""The paper's four ways of pruning, and pruning at distilling with one thing less."""

from rows import Student

WAYS = {
    "at-distilling": "while distilling (the paper's way)",
    "after-distilling": "distilled first, then pruned on the labels",
    "while-fine-tuning": "while fine-tuning on the labels",
    "after-fine-tuning": "fine-tuned first, then pruned on the labels",
    "at-distilling-without-attention": "while distilling, without the attention loss",
    "at-distilling-without-hidden": "while distilling, without the hidden-state loss",
    "at-distilling-without-embeddings": "while distilling, without the embedding loss",
    "at-distilling-without-logits": "while distilling, without the logits' loss",
    "distilled": "distilled, nothing pruned",
}
"""What each recipe does, by its name; in the order of the table."""

FROM_TEACHER = {"unstructured-95-magnitude": "while distilling, from the teacher's weights"}
"""The same of one that stands among all students too."""


def ways(students: list[Student]) -> str:
    """Show what each way gives, beside the teacher that they share."""
    found = {(student.task, student.recipe): student for student in students}
    lines = [
        "| task | teacher | way | steps | min | result | drop |",
        "| --- | --: | --- | --: | --: | --: | --: |",
    ]
    for task in dict.fromkeys(task for task, recipe in found if recipe == "at-distilling"):
        for recipe, way in (WAYS | FROM_TEACHER).items():
            if student := found.get((task, recipe)):
                about = student.about
                lines.append(
                    f"| {task} | {100 * about['teacher_metric']:.1f} | {way} | {about['steps']} "
                    f"| {about['seconds'] / 60:.0f} | {student.result:.1f} | {student.drop:.1f} |"
                )
    return "\n".join(lines) + "\n"
