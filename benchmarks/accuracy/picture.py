"""Points below the teacher over the share of weights kept, a panel a task."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import NullLocator
from rows import Student

BUDGETS = {"wide": "more text", "headline": "headline"}
"""Ends of the names of rows that had a larger budget, and what the picture calls it."""
A_LINE = 4
"""Panels side by side."""
NOT_DRAWN = ("-long", "-gentle")
"""Ends of the names of rows with more passes over the same text, and with fewer words replaced alone."""


def draw(found: list[Student], file: Path) -> None:
    """Draw dense students, headline rows, and those pruned evenly by reconstruction or magnitude."""
    trained = [student for student in found if _is_drawn(student)]
    subjects = sorted({_subject(student) for student in trained})
    kinds = sorted({_kind(student) for student in trained})
    lines = -(-len(subjects) // A_LINE)
    figure, grid = plt.subplots(lines, A_LINE, figsize=(3.2 * A_LINE, 3.6 * lines), layout="constrained")
    panels, unused = grid.flat[: len(subjects)], grid.flat[len(subjects) :]
    for panel in unused:
        panel.remove()
    for panel, subject in zip(panels, subjects, strict=True):
        for index, kind in enumerate(kinds):
            points = sorted(
                (100 * (1 - student.about["sparsity"]), student.drop)
                for student in trained
                if (_subject(student), _kind(student)) == (subject, kind)
            )
            if points:
                panel.plot(
                    *zip(*points, strict=True), marker="o", color=plt.colormaps["tab20"](index), label=kind
                )
        panel.axhline(0, color="grey", linewidth=1)
        panel.set(title=", ".join(subject), xscale="log", xlabel="per cent of weights kept", xlim=(25, 4))
        panel.set_xticks([20, 10, 5], ["20", "10", "5"])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.invert_yaxis()
        panel.grid(alpha=0.3)
    figure.supylabel("points below the teacher")
    labels = {
        label: line
        for panel in panels
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labels.values(), labels, loc="outside lower center", ncols=3, fontsize="small")
    figure.savefig(file, dpi=110)


def _is_drawn(student: Student) -> bool:
    about = student.about
    plain = about["criterion"] in (None, "reconstruction", "magnitude") and about["budget"] != "sensitivity"
    compared = plain or student.recipe.endswith("-headline")
    return compared and bool(about["steps"]) and not student.recipe.endswith(NOT_DRAWN)


def _subject(student: Student) -> tuple[str, str]:
    return student.about["teacher"], student.task


def _kind(student: Student) -> str:
    about = student.about
    kind = "dense student" if about["method"] == "distill" else f"{about['pattern']}, {about['criterion']}"
    budget = BUDGETS.get(student.recipe.rpartition("-")[2])
    return f"{kind}, {budget}" if budget else kind
