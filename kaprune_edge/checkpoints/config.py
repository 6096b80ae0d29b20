"""The configuration of a checkpoint: where it is, what it says, and what is supported of it."""

from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download
from transformers import AutoConfig, PretrainedConfig

from kaprune_edge.encoder import LAYOUTS, check_supported
from kaprune_edge.recipe import SHORTEST_TEXT
from kaprune_runtime.errors import InputError


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


def set_dropout(config: PretrainedConfig, probability: float) -> None:
    """Replace every dropout probability of a configuration."""
    for name, value in config.to_dict().items():
        if name.endswith(("dropout", "dropout_prob")) and isinstance(value, int | float):
            setattr(config, name, probability)
