"""The configuration of a checkpoint: what it says, and what is supported of it."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, PretrainedConfig

from kaprune_edge.checkpoints.entries import DROPPED
from kaprune_edge.checkpoints.files import find_checkpoint, read_config_file
from kaprune_edge.encoder import LAYOUTS, num_heads
from kaprune_edge.recipe import SHORTEST_TEXT
from kaprune_runtime.deployment import CONFIG
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, TEXT, kind_of
from kaprune_runtime.labels import read_labels, read_problem_type

_POSITIONS_AFTER_PADDING = ("roberta", "mpnet")
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_dim",
    "embedding_size",
    "type_vocab_size",
    "max_position_embeddings",
    "relative_attention_num_buckets",
)
_LABELS = ("id2label", "label2id", "num_labels", "_num_labels", "problem_type")


def load_config(source: str | Path, *, labelled: bool = True) -> PretrainedConfig:
    """Read the configuration of a checkpoint folder or hub id.

    Args:
        source: Folder or hub id.
        labelled: Whether its labels count; otherwise it gets those of a new head.

    Raises:
        InputError: There is none, its architecture is not supported, or an entry is impossible.
    """
    folder = find_checkpoint(source)
    raw, path = read_config_file(folder), folder / CONFIG
    family = _family(raw, path)
    kept = {
        entry: value
        for entry, value in raw.items()
        if entry not in _LABELS and _is_kept(family, entry, value)
    }
    kept["model_type"] = family
    kind = kind_of(_architectures(raw, path))
    if labelled and kind != QUESTIONS:
        labels = read_labels(raw, path)
        kept["id2label"] = dict(enumerate(labels))
        kept["label2id"] = {label: index for index, label in enumerate(labels)}
        if kind == TEXT and read_problem_type(raw, labels, path):
            kept["problem_type"] = raw.get("problem_type")
    try:
        config = CONFIG_MAPPING[family].from_dict(kept)
    except Exception as error:
        raise InputError(
            f"{path} is damaged: no {family} has it ({' '.join(str(error).split())}); fetch it again"
        ) from error
    _check_sizes(config, path)
    return config


def _architectures(raw: Mapping[str, Any], path: Path) -> list[str]:
    named = raw.get("architectures") or []
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise InputError(f"architectures in {path} is no list of names; fetch the checkpoint again")
    return named


def _family(raw: Mapping[str, Any], path: Path) -> str:
    """Tell the architecture; files of transformers 1 and 2 name it in `architectures` alone."""
    supported = ", ".join(sorted(LAYOUTS))
    named = raw.get("model_type")
    if named is None:
        classes = {CONFIG_MAPPING[family].__name__.removesuffix("Config"): family for family in LAYOUTS}
        for name in _architectures(raw, path):
            for prefix, family in classes.items():
                if name.startswith(f"{prefix}For") or name == f"{prefix}Model":
                    return family
        raise InputError(f"{path} has no model_type; put in one of {supported}")
    if named not in LAYOUTS:
        raise InputError(f"architecture '{named}' ({path}) is not supported; use one of: {supported}")
    return str(named)


def _is_kept(family: str, entry: str, value: Any) -> bool:
    """Whether an entry is handed on; null stands for the family's default."""
    reads = {field.name for field in fields(CONFIG_MAPPING[family])}
    foreign = entry == "type_vocab_size" and entry not in reads
    return value is not None and entry not in DROPPED and not foreign


def _check_sizes(config: PretrainedConfig, path: Path) -> None:
    """Raise InputError where no model can have these sizes."""
    for entry in _SIZES:
        if (value := getattr(config, entry, 1)) < 1:
            raise InputError(f"{entry} in {path} is {value}; it must be at least 1")
    heads, width = num_heads(config), config.hidden_size
    if width % heads:
        raise InputError(f"{path} divides a hidden_size of {width} by {heads} heads, which leaves a rest")
    if not 0 <= config.pad_token_id < config.vocab_size:
        raise InputError(f"pad_token_id in {path} is {config.pad_token_id}, of {config.vocab_size} tokens")
    if (most := max_tokens(config)) < SHORTEST_TEXT:
        raise InputError(
            f"{path} has positions for {most} tokens; models for {SHORTEST_TEXT} or more are supported"
        )
    if not getattr(config, "layer_norm_eps", 1e-12) > 0:
        raise InputError(f"layer_norm_eps in {path} is {config.layer_norm_eps}; it must be positive")


def max_tokens(config: PretrainedConfig) -> int:
    """Longest text that the position embeddings cover, special tokens included."""
    after_padding = config.pad_token_id + 1 if config.model_type in _POSITIONS_AFTER_PADDING else 0
    return int(config.max_position_embeddings - after_padding)


def check_length(config: PretrainedConfig, max_length: int) -> None:
    """Raise InputError unless the model can be given texts of `max_length` tokens."""
    most = max_tokens(config)
    if not SHORTEST_TEXT <= max_length <= most:
        raise InputError(
            f"the model takes {SHORTEST_TEXT} to {most} tokens, not {max_length}; change --max-length"
        )


def set_dropout(config: PretrainedConfig, probability: float) -> None:
    """Replace every dropout probability of a configuration."""
    for name, value in config.to_dict().items():
        if name.endswith(("dropout", "dropout_prob")) and isinstance(value, int | float):
            setattr(config, name, probability)
