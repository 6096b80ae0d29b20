"""How a model does on the rows held out."""

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from datasets import Dataset
from scipy.special import log_softmax
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.evaluation import predict_logits
from kaprune_edge.fine_tuning.probe import headline
from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task, tokenize


class Standing(NamedTuple):
    """The headline metric; among equals the loss decides."""

    score: float
    negative_loss: float


DIVERGED = Standing(-1, -sys.float_info.max)
"""Worse than anything that a finite model does."""


@dataclass(frozen=True)
class Judge:
    """Scores models on the evaluation rows of a task that `hold_out` made."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    max_length: int

    @cached_property
    def rows(self) -> Dataset:
        """The rows held out, tokenized."""
        return tokenize(self.task.evaluation, self.task, self.tokenizer, self.max_length)

    def __call__(self, model: PreTrainedModel, progress: Progress) -> Standing:
        """Judge a model; one whose outputs are not finite is DIVERGED."""
        logits = predict_logits(model, self.rows, self.tokenizer, progress)
        labels = np.asarray(self.rows["labels"])
        if not np.isfinite(logits).all():
            return DIVERGED
        if self.task.is_regression:
            losses = (logits[:, 0] - labels) ** 2
        else:
            losses = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
        return Standing(headline(self.task, logits, labels), -float(losses.mean()))
