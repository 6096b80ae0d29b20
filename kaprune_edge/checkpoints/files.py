"""The files of a checkpoint: where they are, and whether they are what they are called."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download

from kaprune_runtime.deployment import CONFIG, MODEL
from kaprune_runtime.errors import InputError

ADAPTER = "adapter_config.json"

_POINTER = b"version https://git-lfs.github.com/spec"
_NOT_PYTORCH = ("tf_model.h5", "flax_model.msgpack", "model.ckpt.index", "pytorch_model.gguf")


def find_checkpoint(source: str | Path) -> Path:
    """Find a checkpoint's folder; a hub id is fetched, or taken from the hub's cache when offline.

    Raises:
        InputError: There is no such folder, and no such model on the hub or in its cache.
    """
    name = str(source)
    if Path(name).is_dir():
        return Path(name)
    if Path(name).is_absolute() or name.startswith("."):
        raise InputError(f"{name} is not a folder; name a Hugging Face checkpoint folder or a hub id")
    try:
        files = [file.rfilename for file in HfApi().model_info(name, timeout=5).siblings or ()]
        weights = "*.safetensors" if any(file.endswith(".safetensors") for file in files) else "*.bin"
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.model", weights]))
    except (OSError, ValueError, HTTPError):
        pass
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as error:
        raise InputError(
            f"'{name}' is neither a folder nor a model that the hub gave; check the name and the network"
        ) from error


def check_checkpoint(folder: Path) -> None:
    """Raise InputError where a folder holds something else than the weights of a whole model."""
    if (folder / ADAPTER).is_file():
        base = _read_object(folder / ADAPTER).get("base_model_name_or_path") or "its base model"
        raise InputError(
            f"{folder} holds an adapter ({ADAPTER}) for {base}; merge them with PEFT's merge_and_unload(), "
            "save the result and name that folder"
        )
    if weight_files(folder):
        return
    if (folder / MODEL).is_file():
        raise InputError(f"{folder} is a deployment; name the run or checkpoint that it was made from")
    if others := [name for name in _NOT_PYTORCH if (folder / name).exists()]:
        raise InputError(
            f"{folder} holds {others[0]} but no weights of PyTorch; save model.safetensors there"
        )
    raise InputError(f"the weights in {folder} are missing; put its model.safetensors there")


def weight_files(folder: Path) -> list[Path]:
    """Find the files that hold a checkpoint's weights: safetensors before PyTorch's own, whole before shards.

    Raises:
        InputError: An index names a file that is not there, or is damaged.
    """
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = _read_object(index).get("weight_map")
            if not isinstance(shards, Mapping) or not shards:
                raise InputError(f"{index} names no files (weight_map); fetch the checkpoint again")
            files = [folder / str(shard) for shard in sorted({str(shard) for shard in shards.values()})]
            if lacking := [file for file in files if not file.is_file()]:
                raise InputError(f"{index} names {lacking[0].name}, which is missing; fetch it too")
            return files
    return []


def refuse_pointer(path: Path) -> None:
    """Raise InputError where a file is what git-lfs leaves in place of one that was not fetched."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise InputError(f"{path} is a git-lfs pointer; run `git lfs pull` in {path.parent}")


def read_config_file(folder: Path) -> dict[str, Any]:
    """Read a checkpoint's config.json.

    Raises:
        InputError: There is none, or it is no JSON object.
    """
    path = folder / CONFIG
    if not path.is_file():
        if (folder / ADAPTER).is_file():
            check_checkpoint(folder)
        raise InputError(f"{folder} holds no config.json; name a Hugging Face checkpoint folder")
    return dict(_read_object(path))


def _read_object(path: Path) -> Mapping[str, Any]:
    refuse_pointer(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: it is not readable JSON ({error}); fetch it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: it holds no JSON object; fetch it again")
    return content
