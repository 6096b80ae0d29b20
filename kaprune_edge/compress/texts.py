"""The texts of students: training rows, copies of them if they are few, and texts of the user's own."""

from pathlib import Path

from datasets import Dataset, concatenate_datasets

from kaprune_edge.artifacts import interrupted, write_json
from kaprune_edge.augmentation.augmenter import load_augmenter
from kaprune_edge.augmentation.recipe import AugmentRecipe
from kaprune_edge.augmentation.rows import read_augmented, write_augmented
from kaprune_edge.compress.recipe import CompressRecipe
from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task
from kaprune_runtime.deployment import read_json
from kaprune_runtime.kinds import TEXT

ENOUGH_TEXTS = 30_000
"""Texts below which copies are made."""
MOST_COPIES = 20
"""As many as TinyBERT makes."""
REPLACED_SHARE = 0.15
"""Words that a copy replaces. TinyBERT's 0.4 serves students worse (benchmarks/accuracy)."""


def student_texts(
    recipe: CompressRecipe, task: Task, more: Dataset | None, work: Path, usable: int, progress: Progress
) -> Dataset:
    """Gather the rows that students learn from.

    Args:
        recipe: Names the model that words of copies come from.
        task: Gives the training rows, none of them held out.
        more: Texts beside them, if any.
        work: Keeps the copies.
        usable: Rows that there is time to learn from; more copies would be in vain.
        progress: Told of the copying.

    Returns:
        Rows as in `task.train`; the labels of unlabelled texts mean nothing.
    """
    beside = [more] if more else []
    copies = _copies(task, len(task.train) + sum(map(len, beside)), work / "copies.json", usable)
    if not copies:
        return concatenate_datasets([task.train, *beside])
    making = AugmentRecipe(
        task=recipe.task,
        columns=recipe.columns,
        model=recipe.model,
        copies=copies,
        replaced_share=REPLACED_SHARE,
        train_rows=recipe.train_rows,
        seed=recipe.seed,
    )
    file = work / "augmented.jsonl"
    if not file.exists():
        begun = interrupted(file).exists()
        write_augmented(making, task, load_augmenter(recipe.model), file, progress=progress, resume=begun)
    return concatenate_datasets([read_augmented(file, task, copies), *beside])


def _copies(task: Task, rows: int, record: Path, usable: int) -> int:
    """Choose how many copies to make of each row, and keep the choice: the file of copies depends on it."""
    if not record.exists():
        wanted = min(ENOUGH_TEXTS, usable) // rows if task.kind == TEXT else 0
        write_json(record, {"copies": min(MOST_COPIES, wanted)})
    return int(read_json(record)["copies"])
