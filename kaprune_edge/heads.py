"""What differs in PyTorch between the kinds of models: the head, its output, and what is distilled of it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PretrainedConfig,
)

from kaprune_runtime.kinds import QUESTIONS, TEXT, TOKENS, kind_of

HEADS: Mapping[str, Any] = {
    TEXT: AutoModelForSequenceClassification,
    TOKENS: AutoModelForTokenClassification,
    QUESTIONS: AutoModelForQuestionAnswering,
}
"""Kind -> the automatic class that adds its head to an encoder."""

TARGETS = ("labels", "start_positions", "end_positions")
"""Columns of a batch that say what is right."""

_NEVER = -1e4


def head_class(config: PretrainedConfig) -> Any:
    """Find the automatic class of a checkpoint's kind."""
    return HEADS[kind_of(config.architectures)]


def count_targets(batch: Mapping[str, Tensor]) -> int:
    """Count what a batch's loss is the mean over: texts, or tokens with a label, which is not negative."""
    targets = next(batch[name] for name in TARGETS if name in batch)
    return int((targets >= 0).sum()) if targets.dim() > 1 else len(targets)


def read_logits(output: Any) -> Tensor:
    """Read a model's output: [batch, labels], [batch, length, labels], or [batch, length, start and end]."""
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], dim=-1)
    logits: Tensor = output.logits
    return logits


def read_choices(output: Any, attention_mask: Tensor) -> Tensor:
    """Bring a model's output to the form of a classifier's, [choices, classes].

    A text's label is a choice between labels, as is every real token's; the start of an answer is a choice
    between a text's tokens, as is its end.

    Args:
        output: Of the model.
        attention_mask: [batch, length], 1 for real tokens.
    """
    logits = read_logits(output)
    if "start_logits" in output:
        return logits.masked_fill(attention_mask[:, :, None] == 0, _NEVER).transpose(1, 2).flatten(0, 1)
    return logits[attention_mask.bool()] if logits.dim() == 3 else logits
