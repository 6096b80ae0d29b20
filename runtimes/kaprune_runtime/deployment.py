"""The deployment folder as it lies on disk: is it whole, and what does config.json say of the model."""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, TEXT, kind_of
from kaprune_runtime.labels import read_labels, read_problem_type

MODEL = "model.onnx"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
MANIFEST = "kaprune.json"
FORMAT_VERSION = 1
"""The newest `format_version` of kaprune.json that this package reads."""

LARGEST_JSON = 1 << 26
"""Bytes; the tokenizer.json of the largest vocabularies has half of that."""

_LFS_POINTER = b"version https://git-lfs"
_POSITIONS_AFTER_PADDING = {"mpnet", "roberta"}


@dataclass(frozen=True)
class ModelConfig:
    """What running a model needs to know of its config.json."""

    labels: tuple[str, ...]
    problem_type: str
    """How outputs become scores: values (regression), one softmax (single_label_classification), or a sigmoid
    each (multi_label_classification)."""
    vocabulary_size: int
    pad_id: int
    max_tokens: int
    """Longest sequence that the position embeddings cover, special tokens included."""
    kind: str = TEXT
    """What the model is for; see `kinds`."""
    text_columns: int | None = None
    """How many texts a row of its training had, 1 or 2, if config.json says so."""

    def check_texts(self, pairs: Sequence[str] | None) -> None:
        """Raise InputError unless pairs are given exactly where the model was trained on them."""
        if self.text_columns == 2 and not pairs:
            raise InputError("the model was trained on pairs of texts; give a second text for each (--pair)")
        if self.text_columns == 1 and pairs:
            raise InputError("the model was trained on single texts; leave out the second ones (--pair)")


def verify(folder: Path, *names: str) -> None:
    """Check that files of a deployment are there and, where kaprune.json lists them, unchanged.

    A folder without kaprune.json (made by another exporter) is checked for presence alone.

    Raises:
        InputError: The folder or a file is missing, a file differs from its record in kaprune.json,
            or kaprune.json is damaged or was written by a newer kaprune-edge.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give a deployment that `kaprune-edge export` wrote")
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"{folder} holds no {name}; give a deployment that `kaprune-edge export` wrote")
    records = _read_records(folder)
    for name in names:
        if name in records and not _is_recorded(folder / name, records[name]):
            raise InputError(
                f"{folder / name} is not the file that {MANIFEST} describes (cut short or changed); "
                "copy or export it again"
            )


def holds(folder: Path, name: str) -> bool:
    """Tell whether a deployment has a file that not every deployment has, and check it as `verify` does.

    Raises:
        InputError: kaprune.json lists it but it is missing or changed, or it is no ordinary file.
    """
    path = folder / name
    if not os.path.lexists(path):
        if name not in _read_records(folder):
            return False
    elif not path.is_file():
        raise InputError(f"{path} is no file that can be read; copy it again")
    verify(folder, name)
    return True


def warn_unless_checked(folder: Path) -> None:
    """Warn, once for each folder, that the files of a folder without kaprune.json are not checked."""
    if not os.path.lexists(folder / MANIFEST):
        warnings.warn(
            f"{folder} has no {MANIFEST}: its files are used unchecked "
            "(a deployment that `kaprune-edge export` wrote has one; copy it too)",
            RuntimeWarning,
            stacklevel=1,
        )


def _read_records(folder: Path) -> Mapping[str, Any]:
    """Read what kaprune.json says of each file; nothing where there is no kaprune.json."""
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return {}
    manifest = read_json(path)
    version, records = manifest.get("format_version"), manifest.get("files")
    if not isinstance(version, int) or not isinstance(records, dict):
        raise InputError(f"{path} lacks format_version or files; export the model again")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{folder} has format version {version}, this package reads up to {FORMAT_VERSION}; "
            "upgrade kaprune-edge-runtime"
        )
    return records


def _is_recorded(path: Path, record: Any) -> bool:
    """Compare a file with its record; its size first, so that a huge file is not read."""
    if not isinstance(record, dict):
        return False
    size = record.get("bytes")
    return size in (None, path.stat().st_size) and record.get("sha256") == _sha256(path)


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
    path = folder / CONFIG
    config = read_json(path)
    found = kind_of(config.get("architectures"))
    # transformers ignores the labels of question answering: its two outputs are start and end.
    labels = ("LABEL_0", "LABEL_1") if found == QUESTIONS else read_labels(config, path)
    vocabulary, positions = (
        _count(config, entry, path) for entry in ("vocab_size", "max_position_embeddings")
    )
    counted = config.get("model_type") in _POSITIONS_AFTER_PADDING
    pad_id = config.get("pad_token_id")
    pad_id = int(counted) if pad_id is None else pad_id
    if isinstance(pad_id, bool) or not isinstance(pad_id, int) or not 0 <= pad_id < vocabulary:
        raise InputError(
            f"pad_token_id in {path} is {pad_id!r}, of {vocabulary} tokens; export the model again"
        )
    skipped = pad_id + 1 if counted else 0
    if positions <= skipped:
        raise InputError(f"{path} leaves no position for a token; export the model again")
    made = ModelConfig(
        labels=labels,
        problem_type=read_problem_type(config, labels, path) if found == TEXT else "",
        vocabulary_size=vocabulary,
        pad_id=pad_id,
        max_tokens=positions - skipped,
        kind=found,
        text_columns=_text_columns(config),
    )
    if kind not in (None, made.kind):
        raise InputError(f"{folder} is for {made.kind}, not {kind}; give a deployment for that")
    return made


def _count(config: Mapping[str, Any], entry: str, path: Path) -> int:
    number = config.get(entry)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InputError(
            f"{entry} in {path} is {number!r}, not a positive whole number; export the model again"
        )
    return number


def _text_columns(config: Mapping[str, Any]) -> int | None:
    own = config.get("kaprune")
    columns = own.get("text_columns") if isinstance(own, Mapping) else None
    return columns if columns in (1, 2) else None


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object from an ordinary file of at most `LARGEST_JSON` bytes.

    Raises:
        InputError: The file is unreadable, no ordinary file, too large, or holds anything else.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path} is no file that can be read; copy or export it again")
        with path.open("rb") as file:
            content = file.read(LARGEST_JSON + 1)
        if content.startswith(_LFS_POINTER):
            raise InputError(f"{path} is a Git LFS pointer, not the file itself; run `git lfs pull` there")
        if len(content) > LARGEST_JSON:
            raise InputError(f"{path} is larger than {LARGEST_JSON >> 20} MiB; copy or export it again")
        found = json.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable JSON ({error}); copy or export it again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no JSON object; copy or export it again")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
