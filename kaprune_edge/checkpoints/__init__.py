"""Loading of checkpoints: every command reads configurations, tokenizers, labels and weights here."""

from transformers.utils import logging

from kaprune_edge.checkpoints.config import (
    check_length,
    find_checkpoint,
    load_config,
    max_tokens,
    set_dropout,
)
from kaprune_edge.checkpoints.labels import check_made_for
from kaprune_edge.checkpoints.tokenizer import load_tokenizer, save_tokenizer
from kaprune_edge.checkpoints.weights import check_same_shape, load_classifier, load_masked_model

__all__ = [
    "check_length",
    "check_made_for",
    "check_same_shape",
    "find_checkpoint",
    "load_classifier",
    "load_config",
    "load_masked_model",
    "load_tokenizer",
    "max_tokens",
    "save_tokenizer",
    "set_dropout",
]

logging.set_verbosity_error()
logging.disable_progress_bar()
