"""The deployment folder as it lies on disk: is it whole, and what does config.json say of the model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT, kind_of

MODEL = "model.onnx"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
MANIFEST = "kaprune.json"
FORMAT_VERSION = 1
"""The newest `format_version` of kaprune.json that this package reads."""

_POSITIONS_AFTER_PADDING = {"mpnet", "roberta"}


@dataclass(frozen=True)
class ModelConfig:
    """What running a model needs to know of its config.json."""

    labels: tuple[str, ...]
    problem_type: str
    """regression, single_label_classification or multi_label_classification."""
    vocabulary_size: int
    pad_id: int
    max_tokens: int
    """Longest sequence that the position embeddings cover, special tokens included."""
    kind: str = TEXT
    """What the model is for; see `kinds`."""


def verify(folder: Path, *names: str) -> None:
    """Check that files of a deployment are there and, where kaprune.json lists them, unchanged.

    A folder without kaprune.json (made by another exporter) is checked for presence alone.

    Raises:
        InputError: The folder or a file is missing, a file differs from its record in kaprune.json,
            or kaprune.json was written by a newer kaprune-edge.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give a deployment that `kaprune-edge export` wrote")
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"{folder} holds no {name}; give a deployment that `kaprune-edge export` wrote")
    if not (folder / MANIFEST).exists():
        return
    manifest = read_json(folder / MANIFEST)
    version, records = manifest.get("format_version"), manifest.get("files")
    if not isinstance(version, int) or not isinstance(records, dict):
        raise InputError(f"{folder / MANIFEST} lacks format_version or files; export the model again")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{folder} has format version {version}, this package reads up to {FORMAT_VERSION}; "
            "upgrade kaprune-edge-runtime"
        )
    for name in names:
        if (record := records.get(name)) is not None and record.get("sha256") != _sha256(folder / name):
            raise InputError(
                f"{folder / name} is not the file that {MANIFEST} describes (cut short or changed); "
                "copy or export it again"
            )


def read_config(folder: Path, kind: str | None = None) -> ModelConfig:
    """Read config.json.

    Args:
        folder: The deployment.
        kind: What the model must be for; None takes any.

    Raises:
        InputError: The file is missing, changed, not JSON or lacks an entry, or the model is of another
            kind.
    """
    verify(folder, CONFIG)
    config = read_json(folder / CONFIG)
    try:
        names = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
        labels = tuple(str(names[str(index)]) for index in range(len(names)))
        pad_id = config.get("pad_token_id", 0)
        skipped = pad_id + 1 if config.get("model_type") in _POSITIONS_AFTER_PADDING else 0
        made = ModelConfig(
            labels=labels,
            problem_type=config.get("problem_type")
            or ("regression" if len(labels) == 1 else "single_label_classification"),
            vocabulary_size=int(config["vocab_size"]),
            pad_id=pad_id,
            max_tokens=int(config["max_position_embeddings"]) - skipped,
            kind=kind_of(config.get("architectures")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{folder / CONFIG} lacks or garbles an entry ({error}); export the model again"
        ) from error
    if kind not in (None, made.kind):
        raise InputError(f"{folder} is for {made.kind}, not {kind}; give a deployment for that")
    return made


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: The file is unreadable or holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON ({error}); copy or export it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object; copy or export it again")
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
