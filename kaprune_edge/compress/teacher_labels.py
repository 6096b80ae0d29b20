"""Texts without labels: the answers of a fine-tuned model take their place."""

from dataclasses import replace

import numpy as np

from kaprune_edge.checkpoints import load_config, match_task
from kaprune_edge.compress.recipe import CompressRecipe
from kaprune_edge.compress.teacher import is_fine_tuned
from kaprune_edge.tasks import Task
from kaprune_edge.tasks.registry import TEXTS, load_unlabelled_task
from kaprune_edge.tasks.task import rows
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import kind_of


def is_unlabelled(recipe: CompressRecipe) -> bool:
    """Tell whether a recipe names texts without labels."""
    return recipe.task.startswith(TEXTS)


def load_unlabelled(recipe: CompressRecipe) -> Task:
    """Load the texts of a recipe; the classes are those of its model. See `load_unlabelled_task`.

    Raises:
        InputError: The model does not choose among classes of a text, or the file is not what it should be.
    """
    config = load_config(recipe.model)
    if not is_fine_tuned(recipe.model):
        raise InputError(
            f"{recipe.task} has no labels to fine-tune {recipe.model} on; name a fine-tuned model, or a task "
            "with labels, such as csv:FILE"
        )
    names = list((config.id2label or {}).values())
    if len(names) < 2:
        raise InputError(
            f"{recipe.model} predicts values, and without labels compress can count classes alone; name a "
            "classifier, or a task with labels, such as csv:FILE"
        )
    task = load_unlabelled_task(recipe.task, names, columns=recipe.columns, train_rows=recipe.train_rows)
    match_task(task, recipe.model, kind_of(config.architectures), names, config.problem_type)
    return task


def label_by(answers: np.ndarray, task: Task) -> Task:
    """Label the evaluation rows.

    The training rows go without: students learn from the teacher's outputs, not from labels.

    Args:
        answers: Logits of the teacher, shape [rows, classes].
        task: Its evaluation rows are those that the teacher answered.
    """
    texts = {column: task.evaluation[column][:] for column in task.text_columns}
    return replace(task, evaluation=rows(texts, answers.argmax(axis=1).tolist()))
