"""The weights of a checkpoint, with the head that is asked for."""

from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForMaskedLM, PretrainedConfig, PreTrainedModel

from kaprune_edge.checkpoints.config import find_checkpoint, load_config, set_dropout
from kaprune_edge.checkpoints.labels import check_made_for
from kaprune_edge.heads import HEADS
from kaprune_edge.tasks import Task
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT, kind_of


def load_classifier(
    source: str, task: Task, *, fine_tuned: bool, dropout: float | None = None
) -> PreTrainedModel:
    """Load a checkpoint with the head that a task needs, in float32.

    Args:
        source: Checkpoint folder or hub id.
        task: Gives the labels.
        fine_tuned: Whether its classifier must fit the task already; otherwise a new one is
            drawn where the checkpoint has none that fits.
        dropout: Replaces every dropout probability; None keeps the checkpoint's own.

    Raises:
        InputError: The checkpoint is missing, damaged, unsupported, or made for other labels.
    """
    config = load_config(source)
    if fine_tuned:
        check_made_for(task, source, kind_of(config.architectures), list((config.id2label or {}).values()))
    else:
        config.num_labels = task.num_labels
        if task.label_names:
            config.id2label = dict(enumerate(task.label_names))
            config.label2id = {name: index for index, name in enumerate(task.label_names)}
        if task.kind == TEXT:
            config.problem_type = "regression" if task.is_regression else "single_label_classification"
    if dropout is not None:
        set_dropout(config, dropout)
    model, drawn = _load(HEADS[task.kind], source, config)
    if fine_tuned and drawn:
        raise InputError(f"{source} has no weights that fit {min(drawn)}; name a fine-tuned classifier")
    return model


def load_masked_model(source: str) -> tuple[PreTrainedModel, bool]:
    """Load a checkpoint as a masked language model, in float32.

    Args:
        source: Checkpoint folder or hub id.

    Returns:
        The model, and whether the checkpoint has a language-model head; a useless one was drawn otherwise.

    Raises:
        InputError: The checkpoint is missing, damaged or unsupported.
    """
    model, drawn = _load(AutoModelForMaskedLM, source, load_config(source))
    return model, not drawn


def _load(kind: Any, source: str, config: PretrainedConfig) -> tuple[PreTrainedModel, set[str]]:
    """Load a model of an automatic class; names the weights outside its encoder that had to be drawn."""
    try:
        model, report = kind.from_pretrained(
            find_checkpoint(source),
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, SafetensorError, EOFError, RuntimeError, ValueError) as error:
        raise InputError(
            f"the weights in {source} are missing or damaged; fetch the checkpoint again"
        ) from error
    drawn = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
    inside = {name for name in drawn if name.startswith(f"{model.base_model_prefix}.")}
    inside = {name for name in inside if ".pooler." not in name}
    if inside:
        raise InputError(f"{source} has no weights that fit {min(inside)}; fetch the checkpoint again")
    return model, drawn


def check_same_shape(student: PreTrainedModel, teacher: PreTrainedModel) -> None:
    """Raise InputError unless the layers of two models, and what they read, can be compared one to one."""
    for entry in ("model_type", "vocab_size", "num_hidden_layers", "hidden_size", "num_attention_heads"):
        own, other = getattr(student.config, entry), getattr(teacher.config, entry)
        if own != other:
            raise InputError(
                f"the model's {entry} is {own}, its teacher's {other}; name one made from this model"
            )
