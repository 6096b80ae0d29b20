"""Points below the teacher over the share of weights kept, a panel a task."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import NullLocator
from rows import Student

WIDE, LONG = "-wide", "-long"
"""End the names of rows with more text, and of rows with more passes over the same."""


def draw(found: list[Student], file: Path) -> None:
    """Draw dense students, and those pruned evenly by reconstruction or magnitude."""
    trained = [student for student in found if _is_drawn(student)]
    subjects = sorted({_subject(student) for student in trained})
    kinds = sorted({_kind(student) for student in trained})
    figure, panels = plt.subplots(
        1, len(subjects), figsize=(3.6 * len(subjects), 4), layout="constrained", squeeze=False
    )
    for panel, subject in zip(panels[0], subjects, strict=True):
        for index, kind in enumerate(kinds):
            points = sorted(
                (100 * (1 - student.about["sparsity"]), student.drop)
                for student in trained
                if (_subject(student), _kind(student)) == (subject, kind)
            )
            if points:
                panel.plot(*zip(*points, strict=True), marker="o", color=f"C{index}", label=kind)
        panel.axhline(0, color="grey", linewidth=1)
        panel.set(title=", ".join(subject), xscale="log", xlabel="per cent of weights kept", xlim=(25, 4))
        panel.set_xticks([20, 10, 5], ["20", "10", "5"])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.invert_yaxis()
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("points below the teacher")
    labels = {
        label: line
        for panel in panels[0]
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labels.values(), labels, loc="outside lower center", ncols=3, fontsize="small")
    figure.savefig(file, dpi=110)


def _is_drawn(student: Student) -> bool:
    about = student.about
    plain = about["criterion"] in (None, "reconstruction", "magnitude") and about["budget"] != "sensitivity"
    return plain and bool(about["steps"]) and not student.recipe.endswith(LONG)


def _subject(student: Student) -> tuple[str, str]:
    return student.about["teacher"], student.task


def _kind(student: Student) -> str:
    about = student.about
    kind = "dense student" if about["method"] == "distill" else f"{about['pattern']}, {about['criterion']}"
    return f"{kind}, more text" if student.recipe.endswith(WIDE) else kind
