"""Writes summary.json, README.md's tables and the picture from runs/.

`python benchmarks/accuracy/table.py`
"""

import json

from comparisons import comparisons
from picture import draw
from rows import HERE, Student, read_rows, students
from ways import WAYS, ways

from kaprune_edge.augmentation import AugmentRecipe

TINYBERTS_SHARE = AugmentRecipe.model_fields["replaced_share"].default


def main() -> None:
    rows = read_rows()
    (HERE / "summary.json").write_text(json.dumps(rows, indent=2) + "\n")
    found = students(rows)
    write("comparisons", comparisons(found))
    write("ways", ways(found))
    of_no_way = [student for student in found if student.recipe not in WAYS]
    write("table", table(of_no_way))
    draw(of_no_way, HERE / "accuracy.png")


def write(name: str, text: str) -> None:
    """Replace what README.md has between two marks."""
    readme = HERE / "README.md"
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, rest = readme.read_text().split(start)
    readme.write_text(before + start + text + end + rest.split(end)[1])


def table(found: list[Student]) -> str:
    """Show every student."""
    lines = [
        "| encoder | task | metric | teacher | student | criterion | weights | texts | steps | rate | min "
        "| result | drop |",
        "| --- | --- | --- | --: | --- | --- | --: | --: | --: | --- | --: | --: | --: |",
    ]
    for student in found:
        about = student.about
        name = about["pattern"]
        if about["method"] != "distill":
            name = f"{about['sparsity']:.0%} {name}"
        criterion = about["criterion"] or ""
        if about["budget"] == "sensitivity":
            criterion += ", by sensitivity"
        texts = f"{student.texts:,}"
        if about["replaced_share"] != TINYBERTS_SHARE:
            texts += f", {about['replaced_share']:.0%} of words replaced"
        if about["unlabelled"]:
            texts += f", {about['unlabelled']:,} without labels"
        steps = f"{about['steps']}" if about["steps"] else "one-shot"
        if about["logits_only"]:
            steps += f", {about['logits_only']:.0%} on logits alone"
        rate = f"{about['learning_rate']:g} {about['decay']}" if about["steps"] else ""
        seeds = f" ± {student.spread:.1f}, {len(student.runs)} seeds" if len(student.runs) > 1 else ""
        lines.append(
            f"| {about['teacher']} | {student.task} | {about['metric_name']} "
            f"| {100 * about['teacher_metric']:.1f} | {name} | {criterion} "
            f"| {about['encoder_weights']:,} | {texts} | {steps} | {rate} "
            f"| {about['seconds'] / 60:.0f} "
            f"| {student.result:.1f}{seeds} | {student.drop:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
