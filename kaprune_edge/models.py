"""Loading of checkpoints, with errors that say what to do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from kaprune_edge.encoder import LAYOUTS, check_supported
from kaprune_edge.heads import HEADS
from kaprune_edge.recipe import SHORTEST_TEXT
from kaprune_edge.tasks import Task
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT, TOKENS, kind_of

_UNNAMED = "LABEL_0"
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")

logging.set_verbosity_error()
logging.disable_progress_bar()


def find_checkpoint(source: str) -> str:
    """Find a checkpoint's folder; a hub id is fetched, or taken from the hub's cache when offline.

    Raises:
        InputError: There is no such folder, and no such model on the hub or in its cache.
    """
    if Path(source).is_dir():
        return source
    if Path(source).is_absolute() or source.startswith("."):
        raise InputError(f"{source} is not a folder; name a Hugging Face checkpoint folder or a hub id")
    try:
        files = [file.rfilename for file in HfApi().model_info(source, timeout=5).siblings or ()]
        weights = "*.safetensors" if any(name.endswith(".safetensors") for name in files) else "*.bin"
        return snapshot_download(source, allow_patterns=["*.json", "*.txt", "*.model", weights])
    except (OSError, ValueError, HTTPError):
        pass
    try:
        return snapshot_download(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"'{source}' is neither a folder nor a model that the hub gave; check the name and the network"
        ) from error


def load_config(source: str) -> PretrainedConfig:
    """Read the configuration of a checkpoint folder or hub id.

    Raises:
        InputError: There is none, or its architecture is not supported.
    """
    folder = Path(find_checkpoint(source))
    if not (folder / "config.json").is_file():
        raise InputError(f"{source} holds no config.json; name a Hugging Face checkpoint folder")
    try:
        config = AutoConfig.from_pretrained(folder)
    except Exception as error:
        raise InputError(
            f"config.json in {source} is damaged or of an unknown architecture; "
            f"supported are {', '.join(sorted(LAYOUTS))}"
        ) from error
    check_supported(config)
    return config


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint.

    Raises:
        InputError: It is missing or damaged, or knows more tokens than the model has embeddings for.
    """
    folder = Path(find_checkpoint(source))
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise InputError(f"{source} holds no tokenizer; add its tokenizer.json")
    try:
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder))
    except Exception as error:
        raise InputError(f"the tokenizer in {source} is damaged; fetch the checkpoint again") from error
    tokens, rows = 1 + max(tokenizer.get_vocab().values()), load_config(source).vocab_size
    if tokens > rows:
        raise InputError(
            f"the tokenizer in {source} has {tokens} tokens but the model embeddings for {rows}; "
            "put the model's own tokenizer there"
        )
    return tokenizer


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


def check_made_for(task: Task, source: object, kind: str, labels: Sequence[str]) -> None:
    """Raise InputError unless a model is of a task's kind and has its labels.

    Args:
        task: The task.
        source: What to call the model.
        kind: What it is for; see `kaprune_runtime.kinds`.
        labels: Names of its outputs.
    """
    if kind != task.kind:
        raise InputError(f"{source} is for {kind} but {task.name} for {task.kind}; name a model made for it")
    if len(labels) != task.num_labels:
        raise InputError(
            f"{source} predicts {len(labels)} labels but {task.name} has {task.num_labels}; "
            "name a model fine-tuned on this task"
        )
    if task.kind == TOKENS and tuple(labels) != task.label_names and labels[0] != _UNNAMED:
        raise InputError(
            f"{source} has the tags {', '.join(labels)} but {task.name} has {', '.join(task.label_names)}; "
            "name a model fine-tuned on this task"
        )


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


def max_tokens(config: PretrainedConfig) -> int:
    """Longest text that the position embeddings cover, special tokens included."""
    after_padding = config.pad_token_id + 1 if config.model_type in ("roberta", "mpnet") else 0
    return int(config.max_position_embeddings - after_padding)


def check_length(config: PretrainedConfig, max_length: int) -> None:
    """Raise InputError unless the model can be given texts of `max_length` tokens."""
    most = max_tokens(config)
    if not SHORTEST_TEXT <= max_length <= most:
        raise InputError(
            f"the model takes {SHORTEST_TEXT} to {most} tokens, not {max_length}; change --max-length"
        )


def check_same_shape(student: PreTrainedModel, teacher: PreTrainedModel) -> None:
    """Raise InputError unless the layers of two models, and what they read, can be compared one to one."""
    for entry in ("model_type", "vocab_size", "num_hidden_layers", "hidden_size", "num_attention_heads"):
        own, other = getattr(student.config, entry), getattr(teacher.config, entry)
        if own != other:
            raise InputError(
                f"the model's {entry} is {own}, its teacher's {other}; name one made from this model"
            )


def set_dropout(config: PretrainedConfig, probability: float) -> None:
    """Replace every dropout probability of a configuration."""
    for name, value in config.to_dict().items():
        if name.endswith(("dropout", "dropout_prob")) and isinstance(value, int | float):
            setattr(config, name, probability)
