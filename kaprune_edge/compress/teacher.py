"""The teacher of a compression: a fine-tuned model as it came, or one that is made from an encoder."""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.artifacts import new_folder, write_json
from kaprune_edge.checkpoints import load_classifier, load_config, save_tokenizer
from kaprune_edge.compress.clock import Clock
from kaprune_edge.compress.recipe import CompressRecipe
from kaprune_edge.distillation.teaching import fine_tune
from kaprune_edge.distillation.training import Lessons
from kaprune_edge.fine_tuning.from_probe import ProbedFineTuning
from kaprune_edge.progress import Progress
from kaprune_edge.recipe import FineTuning
from kaprune_edge.tasks import Task, tokenize
from kaprune_runtime.deployment import read_json
from kaprune_runtime.kinds import TEXT

TEACHER_SHARE = 0.35
"""Of the time limit, which the training of a teacher may take."""
_FIGURES = "fine_tuning.json"
_HEADS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")


def is_fine_tuned(source: str) -> bool:
    """Tell a model with a head for one of our tasks from an encoder, by its config.json."""
    return any(name.endswith(_HEADS) for name in load_config(source).architectures or ())


def find_teacher(
    recipe: CompressRecipe,
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    work: Path,
    clock: Clock,
    progress: Progress,
) -> PreTrainedModel:
    """Load the teacher from the work folder; on the first call put it there.

    Args:
        recipe: Names the model.
        task: Its training rows are learnt from; the held-out rows are not among them.
        tokenizer: The model's own.
        work: Gets `teacher`, a plain checkpoint.
        clock: Saved with every checkpoint.
        progress: Told of the training.
    """
    kept = work / "teacher"
    if not kept.exists():
        with new_folder(kept) as staging:
            _make(recipe, task, tokenizer, work, clock, progress).save_pretrained(staging)
            save_tokenizer(tokenizer, staging)
    return load_classifier(str(kept), task, fine_tuned=True)


def teacher_note(work: Path) -> str | None:
    """Tell what is wrong with a teacher that was made here."""
    file = work / _FIGURES
    return read_json(file)["note"] if file.exists() else None


def _make(
    recipe: CompressRecipe,
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    work: Path,
    clock: Clock,
    progress: Progress,
) -> PreTrainedModel:
    """Load a fine-tuned model, or fine-tune an encoder; its settings are chosen on the held-out rows."""
    if is_fine_tuned(recipe.model):
        return load_classifier(recipe.model, task, fine_tuned=True)
    training = FineTuning(batch_size=recipe.batch_size, max_length=recipe.max_length)
    folder = work / "checkpoints" / "teacher"
    if task.kind == TEXT:
        tuning = ProbedFineTuning(
            source=recipe.model,
            task=task,
            tokenizer=tokenizer,
            training=training,
            seed=recipe.seed,
            folder=folder,
            progress=progress,
            on_save=clock.save,
            seconds=TEACHER_SHARE * clock.limit,
        )
        teacher, figures = tuning.run()
        write_json(work / _FIGURES, dict(figures))
        return teacher
    teacher = load_classifier(recipe.model, task, fine_tuned=False)
    lessons = Lessons(
        rows=tokenize(task.train, task, tokenizer, recipe.max_length),
        tokenizer=tokenizer,
        training=training.resolved,
        seed=recipe.seed,
        checkpoints=folder,
        progress=progress,
        on_epoch=dict,
        on_save=clock.save,
    )
    fine_tune(teacher, lessons)
    return teacher
