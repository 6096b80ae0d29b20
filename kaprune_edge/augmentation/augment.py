"""The verb: from a recipe to a file."""

from dataclasses import dataclass
from pathlib import Path

from kaprune_edge.artifacts import check_resumable
from kaprune_edge.augmentation.augmenter import load_augmenter
from kaprune_edge.augmentation.labels import Labeller
from kaprune_edge.augmentation.recipe import AugmentRecipe
from kaprune_edge.augmentation.rows import check_augmentable, write_augmented
from kaprune_edge.checkpoints import load_classifier, load_tokenizer
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.tasks import load_task


@dataclass(frozen=True)
class Augmented:
    """A finished file of rows and their copies."""

    file: Path
    rows: int
    """Original rows."""
    copies: int
    """Copies of all of them together."""
    by: str
    """What chose the words: `masked language model`, or `embedding neighbours` where it has no head."""


def augment(
    recipe: AugmentRecipe,
    output: str | Path,
    *,
    workers: int | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Augmented:
    """Write a task's training rows with augmented copies; see `write_augmented`.

    Args:
        recipe: What to do.
        output: JSON-lines file to make.
        workers: Threads; as many as PyTorch would use when None.
        resume: Continue an interrupted file of the same recipe, to the same bytes.
        progress: Told of every row.

    Raises:
        InputError: Something in the recipe, the model, the task or the output is wrong.
        KapruneError: The disk is full or not writable.
    """
    watch, output = progress or Silent(), Path(output)
    files = recipe.task.partition(":")[2].split(",")
    check_resumable(output, *files, recipe.glove, resume=resume)
    task = load_task(recipe.task, columns=recipe.columns, train_rows=recipe.train_rows)
    check_augmentable(task)
    labeller = None
    if recipe.teacher:
        labeller = Labeller(
            load_classifier(recipe.teacher, task, fine_tuned=True), load_tokenizer(recipe.teacher)
        )
    augmenter = load_augmenter(recipe.model, Path(recipe.glove) if recipe.glove else None, watch)
    write_augmented(
        recipe, task, augmenter, output, progress=watch, labeller=labeller, workers=workers, resume=resume
    )
    return Augmented(output, len(task.train), recipe.copies * len(task.train), augmenter.source)
