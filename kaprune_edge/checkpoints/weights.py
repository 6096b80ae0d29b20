"""The weights of a checkpoint, with the head that is asked for."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForMaskedLM, PretrainedConfig, PreTrainedModel

from kaprune_edge.checkpoints.config import load_config, set_dropout
from kaprune_edge.checkpoints.entries import check_entries
from kaprune_edge.checkpoints.files import check_checkpoint, find_checkpoint, read_config_file
from kaprune_edge.checkpoints.labels import match_names, match_task, task_names
from kaprune_edge.checkpoints.tensors import read_tensors
from kaprune_edge.heads import HEADS, head_class
from kaprune_edge.tasks import Task
from kaprune_runtime.deployment import CONFIG
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, TEXT, kind_of
from kaprune_runtime.labels import read_labels

_UNUSED = re.compile(
    r"(.*\.)?embeddings\.(position_ids|token_type_ids)$|(.*\.)?pooler\.|"
    r"(cls|lm_head|vocab_transform|vocab_layer_norm|vocab_projector|generator_predictions|generator_lm_head|"
    r"discriminator_predictions)\.|(loss|loss_fct|loss_fn|criterion|class_weights)(\.|$)"
)
"""Tensors that no classifier's answer depends on: counters, poolers that a head leaves out, heads of
pretraining, weights of a loss."""


def load_classifier(
    source: str | Path, task: Task, *, fine_tuned: bool, dropout: float | None = None
) -> PreTrainedModel:
    """Load a checkpoint with the head that a task needs, in float32, its outputs in the task's order.

    Args:
        source: Checkpoint folder or hub id.
        task: Gives the labels.
        fine_tuned: Whether its classifier must fit the task already; otherwise a new one is
            drawn where the checkpoint has none that fits.
        dropout: Replaces every dropout probability; None keeps the checkpoint's own.

    Raises:
        InputError: The checkpoint is missing, damaged, unsupported, or made for other labels.
    """
    if fine_tuned:
        model = load_model(source, dropout=dropout)
        labels = list((model.config.id2label or {}).values())
        kind = kind_of(model.config.architectures)
        order = match_task(task, source, kind, labels, model.config.problem_type)
        if kind != QUESTIONS:
            _reorder(model, order)
            _name_outputs(model.config, task_names(task, labels, order))
    else:
        config = load_config(source, labelled=False)
        config.num_labels = task.num_labels
        if task.label_names:
            _name_outputs(config, task.label_names)
        if task.kind == TEXT:
            config.problem_type = "regression" if task.is_regression else "single_label_classification"
        if dropout is not None:
            set_dropout(config, dropout)
        model, drawn = _load(HEADS[task.kind], source, config, new_head=True)
        if not drawn and (known := _known_order(source, task)):
            _reorder(model, known)
    if task.kind == TEXT:
        model.config.kaprune = {"text_columns": len(task.text_columns)}
    return model


def load_model(source: str | Path, *, dropout: float | None = None) -> PreTrainedModel:
    """Load a fine-tuned checkpoint with its own head, in float32.

    Args:
        source: Checkpoint folder or hub id.
        dropout: Replaces every dropout probability; None keeps the checkpoint's own.

    Raises:
        InputError: The checkpoint is missing, damaged or unsupported, or was not fine-tuned.
    """
    config = load_config(source)
    if dropout is not None:
        set_dropout(config, dropout)
    model, drawn = _load(head_class(config), source, config, new_head=False)
    if drawn:
        raise InputError(
            f"{source} has no weights that fit {min(drawn)}; name a checkpoint fine-tuned for "
            f"{kind_of(config.architectures)}"
        )
    return model


def load_masked_model(source: str | Path) -> tuple[PreTrainedModel, bool]:
    """Load a checkpoint as a masked language model, in float32.

    Args:
        source: Checkpoint folder or hub id.

    Returns:
        The model, and whether the checkpoint has a language-model head; a useless one was drawn otherwise.

    Raises:
        InputError: The checkpoint is missing, damaged or unsupported.
    """
    config = load_config(source, labelled=False)
    model, drawn = _load(AutoModelForMaskedLM, source, config, new_head=True)
    return model, not drawn


def _load(
    kind: Any, source: str | Path, config: PretrainedConfig, *, new_head: bool
) -> tuple[PreTrainedModel, set[str]]:
    """Load a model of an automatic class; names the weights outside its encoder that had to be drawn."""
    folder = find_checkpoint(source)
    check_checkpoint(folder)
    check_entries({**read_config_file(folder), "model_type": config.model_type}, folder / CONFIG)
    tensors = read_tensors(folder, config)
    model, report = kind._model_mapping[type(config)].from_pretrained(
        None,
        config=config,
        state_dict=tensors,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    if not new_head:
        _check_rows(model, report["mismatched_keys"], folder / CONFIG)
    drawn = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
    prefix = f"{model.base_model_prefix}."
    inside = {name for name in drawn if name.startswith(prefix) and ".pooler." not in name}
    if inside:
        raise InputError(f"{source} has no weights that fit {min(inside)}; fetch the checkpoint again")
    unexpected = set(report["unexpected_keys"])
    if new_head and any(name.startswith(prefix) for name in tensors):
        unexpected = {name for name in unexpected if name.startswith(prefix)}  # the others are of other heads
    for name in sorted(unexpected):
        if not _UNUSED.match(name):
            raise InputError(
                f"{source} holds {name}, which a plain {type(model).__name__} does not use, so that it would "
                "answer differently; save the checkpoint as that class, without it"
            )
    _check_finite(model, drawn, source)
    return model, drawn


def _check_finite(model: PreTrainedModel, drawn: Collection[str], source: str | Path) -> None:
    """Raise InputError, with its name, where a weight of the checkpoint is not finite."""
    for name, weight in model.named_parameters():
        if name not in drawn and not weight.isfinite().all():
            raise InputError(f"{name} in {source} holds numbers that are not finite; name a sound checkpoint")


def _check_rows(model: PreTrainedModel, mismatched: Sequence[tuple[str, Any, Any]], path: Path) -> None:
    """Raise InputError where a classifier has another number of rows than its config.json has labels."""
    for name, stored, _ in mismatched:
        if name.endswith(("classifier.weight", "classifier.out_proj.weight")):
            labels = list((model.config.id2label or {}).values())
            raise InputError(
                f"the classifier beside {path} has {stored[0]} rows, but that names {len(labels)} labels "
                f"({', '.join(labels[:8])}); give it an id2label with {stored[0]} names"
            )


def _known_order(source: str | Path, task: Task) -> tuple[int, ...] | None:
    """The order of a pretrained model's outputs, if they are a task's labels."""
    folder = find_checkpoint(source)
    try:
        return match_names(read_labels(read_config_file(folder), folder / CONFIG), task.label_names)
    except InputError:
        return None


def _reorder(model: PreTrainedModel, order: Sequence[int]) -> None:
    """Put the rows of a classifier into another order."""
    head: Any = model.classifier
    rows: nn.Linear = head if isinstance(head, nn.Linear) else head.out_proj
    with torch.no_grad():
        rows.weight.copy_(rows.weight[list(order)])
        rows.bias.copy_(rows.bias[list(order)])


def _name_outputs(config: PretrainedConfig, names: Sequence[str]) -> None:
    config.id2label = dict(enumerate(names))
    config.label2id = {name: index for index, name in enumerate(names)}


def check_same_shape(student: PreTrainedModel, teacher: PreTrainedModel) -> None:
    """Raise InputError unless the layers of two models, and what they read, can be compared one to one."""
    for entry in ("model_type", "vocab_size", "num_hidden_layers", "hidden_size", "num_attention_heads"):
        own, other = getattr(student.config, entry), getattr(teacher.config, entry)
        if own != other:
            raise InputError(
                f"the model's {entry} is {own}, its teacher's {other}; name one made from this model"
            )
