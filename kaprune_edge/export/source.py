"""What can be exported: a run, a Hugging Face checkpoint, an ONNX file; each with its tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from kaprune_edge.checkpoints import load_config, load_model, load_tokenizer
from kaprune_edge.export.from_file import load_onnx
from kaprune_edge.export.from_torch import to_onnx
from kaprune_edge.export.parity import Reference
from kaprune_edge.heads import read_logits
from kaprune_runtime.deployment import MODEL, read_json
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT, kind_of

__all__ = ["Source", "open_source"]


@dataclass(frozen=True, eq=False)
class Source:
    """A dense model, what belongs to it, and how it answers."""

    name: str
    model: ir.Model
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    reference: Reference
    metrics: Mapping[str, Any]
    """What the run scored, if it is one."""


def open_source(source: Path | str) -> Source:
    """Load what is to be exported.

    Args:
        source: Run or checkpoint folder, hub id, ONNX file, or a folder that holds `model.onnx`.
            config.json and tokenizer of an ONNX file lie beside it or one folder up.

    Raises:
        InputError: Something is missing, damaged or not supported.
    """
    path = Path(source)
    if path.suffix == ".onnx" and not path.is_dir():
        return _from_file(path)
    if (path / MODEL).is_file() and not list(path.glob("*.safetensors")):
        return _from_file(path / MODEL)
    return _from_checkpoint(str(source))


def _from_checkpoint(source: str) -> Source:
    tokenizer = load_tokenizer(source)
    model = load_model(source).eval()
    metrics = Path(source) / "metrics.json"
    return Source(
        name=Path(source).name,
        model=to_onnx(model, token_types="token_type_ids" in tokenizer.model_input_names),
        config=model.config,
        tokenizer=tokenizer,
        reference=lambda feeds: _run_torch(model, feeds),
        metrics=read_json(metrics).get("metrics", {}) if metrics.is_file() else {},
    )


def _run_torch(model: PreTrainedModel, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        output = model(**{name: torch.from_numpy(array) for name, array in feeds.items()})
    return read_logits(output).numpy()


def _from_file(path: Path) -> Source:
    home = next(
        (folder for folder in path.absolute().parents[:2] if (folder / "config.json").is_file()), None
    )
    config = load_config(str(home)) if home else None
    model, reference = load_onnx(path, kind_of(config.architectures) if config else TEXT)
    if home is None or config is None:
        raise InputError(f"no config.json beside {path}; put the model's config.json and tokenizer there")
    return Source(
        name=path.name,
        model=model,
        config=config,
        tokenizer=load_tokenizer(str(home)),
        reference=reference,
        metrics={},
    )
