"""What tokenizer_config.json says of turning texts into model inputs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaprune_runtime.deployment import holds, read_json
from kaprune_runtime.errors import InputError

SETTINGS = "tokenizer_config.json"

_SIDES = ("right", "left")
_CLASSES_WITH_TYPES = ("Bert", "ConvBert", "Deberta", "Electra", "FNet", "MobileBert")
"""Begin the names of tokenizer classes that give token_type_ids unless `model_input_names` says otherwise."""


@dataclass(frozen=True)
class TokenizerSettings:
    """What transformers does with a text beyond what tokenizer.json says."""

    truncation_side: str | None
    """right or left, if the file names it."""
    model_max_length: int | None
    """Tokens at which a text is cut off; None where nothing sets it."""
    token_types: bool
    """Whether the model is told which tokens are of the second text."""


def read_settings(folder: Path) -> TokenizerSettings:
    """Read tokenizer_config.json of a deployment or checkpoint, where there is one.

    Raises:
        InputError: It is changed or damaged, or an entry is of the wrong type or not supported.
    """
    path = folder / SETTINGS
    config: Mapping[str, Any] = read_json(path) if holds(folder, SETTINGS) else {}
    for name in ("truncation_side", "padding_side"):
        if name in config and config[name] not in _SIDES:
            raise _wrong(path, name, config[name], "right or left")
    for name, only in (("add_special_tokens", True), ("split_special_tokens", False)):
        if config.get(name, only) is not only:
            raise InputError(f"{path} sets {name} to {config[name]!r}, which is not supported; remove it")
    return TokenizerSettings(
        truncation_side=config.get("truncation_side"),
        model_max_length=_length(path, config.get("model_max_length")),
        token_types=_has_types(path, config),
    )


def _length(path: Path, value: Any) -> int | None:
    """Read model_max_length; transformers writes 1e30 for none."""
    if value is None or value == math.inf:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value % 1 != 0:
        raise _wrong(path, "model_max_length", value, "a number of tokens")
    return int(value)


def _has_types(path: Path, config: Mapping[str, Any]) -> bool:
    names = config.get("model_input_names")
    if names is None:
        named = config.get("tokenizer_class")
        return named is None or str(named).startswith(_CLASSES_WITH_TYPES)
    if not isinstance(names, list) or "input_ids" not in names:
        raise _wrong(path, "model_input_names", names, "a list of names, input_ids among them")
    return "token_type_ids" in names


def _wrong(path: Path, name: str, value: Any, right: str) -> InputError:
    return InputError(f"{path} has {name} {value!r}, which must be {right}; correct or remove it")
