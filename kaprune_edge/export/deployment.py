"""Writes the deployment folder."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kaprune_edge import artifacts
from kaprune_edge.checkpoints import save_tokenizer
from kaprune_edge.export import model_card
from kaprune_edge.export.calibration import Calibration, quantize_calibrated
from kaprune_edge.export.graph import size
from kaprune_edge.export.manifest import LayerReport, byte_report, layer_report
from kaprune_edge.export.onnx_file import check_onnx, write_onnx
from kaprune_edge.export.operator_library import LIBRARY, find_library
from kaprune_edge.export.parity import TOLERANCE, check_parity, logit_difference
from kaprune_edge.export.passes import optimization, quantization
from kaprune_edge.export.reading import LARGEST_FILE
from kaprune_edge.export.source import Source, open_source
from kaprune_edge.export.targets import Target, find_target
from kaprune_edge.export.trim import check_corpus, trim_vocabulary
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.tasks import Task
from kaprune_runtime.deployment import FORMAT_VERSION, MANIFEST, MODEL, TOKENIZER, read_json
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import kind_of

__all__ = ["Deployment", "check_calibration", "export_model", "write_model"]


@dataclass(frozen=True)
class Deployment:
    """A written deployment folder."""

    folder: Path
    file_bytes: int
    """Size of model.onnx."""
    tokens: int
    """How many the vocabulary has."""
    sparsity: float
    """Share of zeros in the packed matrices together; 0 where none is packed."""
    parity_error: float
    """Largest difference of a logit from the source, before anything was quantized."""
    quantization_error: float
    """Largest difference of a logit from the source after quantization; 0 where nothing was quantized."""
    calibration: Calibration | None
    """What calibration gained, where it was asked for."""


def export_model(
    source: str | Path,
    output: str | Path,
    *,
    target: str = "x86-64",
    quantize: str | None = None,
    embeddings: str | None = None,
    calibrate: Task | None = None,
    trim: str | Path | None = None,
    library: str | Path | None = None,
    progress: Progress | None = None,
) -> Deployment:
    """Export a model as one portable sparse ONNX file, with all that is needed to run it.

    Args:
        source: Run or checkpoint folder, hub id, or ONNX file with config.json and tokenizer beside it.
        output: Folder to make.
        target: Where it is to run; see `TARGETS`.
        quantize: int8, to round the matrices; see `QuantizeSparseLinear` and `QuantizeDenseLinear`.
        embeddings: int8 or int4, to round the embedding tables; see `QuantizeEmbeddings`.
        calibrate: Its training texts show the ranges of what int8 matrices multiply; see `find_factors`.
        trim: UTF-8 text, one text a line: only the tokens that it needs stay; see `trim_vocabulary`.
        library: Operator library for the target; None takes the one installed here, if it fits.
        progress: Watches.

    Raises:
        InputError: An argument is wrong, or the source is missing, damaged or not supported.
        KapruneError: The exported model's logits differ from the source's, or the disk is full.
    """
    watch, output = progress or Silent(), Path(output)
    trim, library = (Path(path) if path is not None else None for path in (trim, library))
    place, rounding = find_target(target), quantization(weights=quantize, embeddings=embeddings)
    if calibrate is not None:
        check_calibration(quantize)
    operators = find_library(place, library)
    artifacts.check_new(output)
    if trim is not None:
        check_corpus(trim)
    watch.start("export", 4)
    opened = open_source(source)
    if trim is not None:
        opened = trim_vocabulary(opened, trim)
    watch.advance(1)
    optimization(place.instruction_set, integers=quantize is not None)(opened.model)
    watch.advance(2)
    with artifacts.new_folder(output) as staging:
        write_model(opened, staging)
        watch.advance(3)
        error = logit_difference(staging, staging / MODEL, opened.reference, opened.tokenizer)
        check_parity(error)
        rounding_error, calibration = 0.0, None
        if rounding is not None:
            if calibrate is None:
                rounding(opened.model)
            else:
                model, calibration = quantize_calibrated(opened, calibrate, embeddings)
                opened = replace(opened, model=model)
            write_onnx(opened.model, staging / MODEL)
            rounding_error = logit_difference(staging, staging / MODEL, opened.reference, opened.tokenizer)
        check_onnx(staging / MODEL)
        layers = layer_report(opened.model)
        size, sparsity = (staging / MODEL).stat().st_size, _packed_sparsity(layers)
        tokens = opened.config.vocab_size
        deployment = Deployment(output, size, tokens, sparsity, error, rounding_error, calibration)
        kinds = {"weights": quantize, "embeddings": embeddings}
        rounded = {part: kind for part, kind in kinds.items() if kind}
        if operators is not None:
            (staging / LIBRARY).write_bytes(operators)
        _write_card(opened, place, layers, deployment, rounded, staging, trimmed=trim is not None)
        manifest = _manifest(opened, place, layers, deployment, rounded, staging)
        artifacts.write_json(staging / MANIFEST, manifest)
    watch.advance(4)
    return deployment


def check_calibration(quantize: str | None) -> None:
    """Raise InputError unless there are matrices to calibrate."""
    if quantize is None:
        raise InputError("without int8 matrices there is nothing to calibrate; add --quantize int8")


def write_model(source: Source, folder: Path) -> None:
    """Write what ONNX Runtime, Optimum and transformers.js load."""
    weights = sum(map(size, source.model.graph.initializers.values()))
    if weights > LARGEST_FILE:
        raise InputError(f"{source.name} holds more than 2 GB of weights; that is not supported")
    write_onnx(source.model, folder / MODEL)
    source.config.save_pretrained(folder)
    save_tokenizer(source.tokenizer, folder)
    _name_tokenizer_for_all(folder / "tokenizer_config.json")
    _compact(folder / TOKENIZER)


def _name_tokenizer_for_all(path: Path) -> None:
    """Give the generic tokenizer class the name that transformers 4, and with it Optimum, knows too."""
    config = dict(read_json(path))
    if config.get("tokenizer_class") == "TokenizersBackend":
        artifacts.write_json(path, config | {"tokenizer_class": "PreTrainedTokenizerFast"})


def _compact(path: Path) -> None:
    """Write a JSON file without the spaces, a third of a tokenizer.json."""
    if path.is_file():
        content = json.dumps(read_json(path), ensure_ascii=False, separators=(",", ":"))
        path.write_text(content, encoding="utf-8")


def _packed_sparsity(layers: list[LayerReport]) -> float:
    packed = [(layer.shape[0] * layer.shape[1], layer.sparsity) for layer in layers if layer.block]
    return sum(size * sparsity for size, sparsity in packed) / max(1, sum(size for size, _ in packed))


def _write_card(
    source: Source,
    target: Target,
    layers: list[LayerReport],
    deployment: Deployment,
    rounded: Mapping[str, str],
    folder: Path,
    *,
    trimmed: bool,
) -> None:
    card = model_card.render(
        kind_of(source.config.architectures),
        title=deployment.folder.name,
        source=source.name,
        machine=target.machine,
        file_bytes=deployment.file_bytes,
        labels=list((source.config.id2label or {}).values()),
        packed=sum(layer.block is not None for layer in layers),
        sparsity=deployment.sparsity,
        parity=deployment.parity_error,
        rounded=rounded,
        rounding=deployment.quantization_error,
        metrics=source.metrics,
        longest=source.tokenizer.model_max_length,
        cut_left=source.tokenizer.truncation_side == "left",
        token_types="token_type_ids" in source.tokenizer.model_input_names,
        trimmed=trimmed,
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def _manifest(
    source: Source,
    target: Target,
    layers: list[LayerReport],
    deployment: Deployment,
    rounded: Mapping[str, str],
    folder: Path,
) -> dict[str, Any]:
    """Describe every file in the folder, and what model.onnx holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    difference = {"largest_logit_difference": deployment.quantization_error} if rounded else {}
    calibration = {"calibration": asdict(deployment.calibration)} if deployment.calibration else {}
    return {
        "format_version": FORMAT_VERSION,
        "kaprune_edge": version("kaprune-edge"),
        "source": source.name,
        "target": target.name,
        "instruction_set": target.instruction_set,
        "operators": dict(source.model.opset_imports),
        "parity": {"largest_logit_difference": deployment.parity_error, "tolerance": TOLERANCE},
        "quantization": {**rounded, **difference, **calibration},
        "layers": [asdict(layer) for layer in layers],
        "bytes": byte_report(source.model, folder / MODEL),
        "metrics": source.metrics,
        "files": {path.relative_to(folder).as_posix(): _record(path) for path in files},
    }


def _record(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
