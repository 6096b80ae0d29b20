"""Loading of checkpoints: every command reads configurations, tokenizers, labels and weights here."""

from transformers.utils import logging

from kaprune_edge.checkpoints.config import (
    check_length,
    load_config,
    max_tokens,
    set_dropout,
)
from kaprune_edge.checkpoints.files import find_checkpoint, refuse_pointer
from kaprune_edge.checkpoints.labels import match_task, task_names
from kaprune_edge.checkpoints.tokenizer import load_tokenizer, save_tokenizer
from kaprune_edge.checkpoints.weights import (
    check_same_shape,
    load_classifier,
    load_masked_model,
    load_model,
)

__all__ = [
    "check_length",
    "check_same_shape",
    "find_checkpoint",
    "load_classifier",
    "load_config",
    "load_masked_model",
    "load_model",
    "load_tokenizer",
    "match_task",
    "max_tokens",
    "refuse_pointer",
    "save_tokenizer",
    "set_dropout",
    "task_names",
]

logging.set_verbosity_error()
logging.disable_progress_bar()
