"""The teacher of a compression: a fine-tuned model as it came, or one that is made from an encoder."""

from dataclasses import replace
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.artifacts import new_folder
from kaprune_edge.checkpoints import load_classifier, load_config
from kaprune_edge.compress.clock import Clock
from kaprune_edge.compress.recipe import CompressRecipe
from kaprune_edge.distillation.teaching import fine_tune
from kaprune_edge.distillation.training import Lessons
from kaprune_edge.evaluation import predict_logits
from kaprune_edge.progress import Progress
from kaprune_edge.recipe import FineTuning
from kaprune_edge.tasks import Task, tokenize
from kaprune_runtime.errors import InputError

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
        if is_fine_tuned(recipe.model):
            teacher = load_classifier(recipe.model, task, fine_tuned=True)
        else:
            teacher = load_classifier(recipe.model, task, fine_tuned=False)
            fine_tune(teacher, _lessons(recipe, task, tokenizer, work, clock, progress))
        with new_folder(kept) as staging:
            teacher.save_pretrained(staging)
            tokenizer.save_pretrained(staging)
    return load_classifier(str(kept), task, fine_tuned=True)


def label_by_teacher(
    task: Task,
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    progress: Progress,
) -> Task:
    """Give unlabelled texts the teacher's answers for labels, so that a drop is a share of other answers."""
    progress.start("ask teacher", len(task.train))
    logits = predict_logits(teacher, tokenize(task.train, task, tokenizer, max_length), tokenizer, progress)
    task.check_finite(logits)
    labels = logits[:, 0].tolist() if task.is_regression else logits.argmax(axis=1).tolist()
    if len(set(labels)) < 2:
        raise InputError(f"the model gives all texts of {task.name} the same label; give other texts")
    columns = {name: task.train[name] for name in task.text_columns}
    labelled = Dataset.from_dict({**columns, "label": labels}, features=task.train.features)
    return replace(task, train=labelled)


def _lessons(
    recipe: CompressRecipe,
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    work: Path,
    clock: Clock,
    progress: Progress,
) -> Lessons:
    training = FineTuning(batch_size=recipe.batch_size, max_length=recipe.max_length)
    return Lessons(
        rows=tokenize(task.train, task, tokenizer, recipe.max_length),
        tokenizer=tokenizer,
        training=training,
        seed=recipe.seed,
        checkpoints=work / "checkpoints" / "teacher",
        progress=progress,
        on_epoch=dict,
        on_save=clock.save,
    )
