"""What deployments are compared with: TinyBERT, the dense original, or any model of the user's."""

import hashlib
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

from filelock import FileLock
from transformers import BertConfig, PretrainedConfig

from kaprune_edge import export
from kaprune_edge.artifacts import new_folder, write_json
from kaprune_edge.assets import cache_folder
from kaprune_edge.bench.comparison import Entrant
from kaprune_edge.checkpoints import load_config
from kaprune_edge.devices import LocalDevice
from kaprune_edge.export.onnx_file import write_onnx
from kaprune_edge.export.passes import optimization
from kaprune_edge.export.quantize import dynamic_int8
from kaprune_edge.heads import head_class
from kaprune_runtime.deployment import CONFIG, FORMAT_VERSION, MANIFEST, MODEL
from kaprune_runtime.errors import InputError, KapruneError

_Quantize = partial[None]
"""`dynamic_int8` for a processor."""


def _tinybert(layers: int, width: int, intermediate: int) -> BertConfig:
    """Shape a TinyBERT (Jiao et al., Findings of EMNLP 2020, section 4.2)."""
    return BertConfig(
        vocab_size=30522,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=intermediate,
    )


INT8 = ":int8"
"""Ends the name of a baseline that ONNX Runtime quantizes."""

SHAPES: dict[str, Callable[[Path], PretrainedConfig]] = {
    "tinybert-4l-312d": lambda _: _tinybert(4, 312, 1200),
    "tinybert-6l-768d": lambda _: _tinybert(6, 768, 3072),
    "dense": lambda deployment: load_config(str(deployment)),
}
"""Name -> config of the model, given the first deployment."""


def make_baseline(spec: str, deployment: Path, scratch: Path, *, saturates: bool | None = None) -> Entrant:
    """Find or make the model that a baseline names.

    Args:
        spec: A name in `SHAPES` (random weights, for size and latency alone), or a folder: a deployment, or
            a checkpoint, which is exported first. `:int8` after either quantizes it with ONNX Runtime.
        deployment: The one whose architecture `dense` takes.
        scratch: Empty folder that outlives the comparison, for models that are made for it alone.
        saturates: Whether int8 sums saturate where it is to run; as on this machine when None.

    Raises:
        InputError: The name is unknown, or the folder holds no usable model.
        KapruneError: The checkpoint cannot be exported faithfully, or the disk is full.
    """
    name = spec.removesuffix(INT8)
    if saturates is None:
        saturates = LocalDevice().int8_saturates
    quantize = partial(dynamic_int8, saturates=saturates) if name != spec else None
    if name in SHAPES:
        return Entrant(spec, _cached(SHAPES[name](deployment), quantize), random_weights=True)
    folder = Path(name)
    if not (folder / CONFIG).is_file():
        raise InputError(
            f"unknown baseline '{spec}'; use {', '.join(SHAPES)} or the folder of a deployment or checkpoint "
            "(:int8 after either quantizes it)"
        )
    if not (folder / MODEL).is_file():
        folder = export.export_model(name, Path(mkdtemp(dir=scratch)) / "exported").folder
    if quantize is not None:
        folder = _quantize(folder, Path(mkdtemp(dir=scratch)), quantize)
    return Entrant(spec, folder)


def _cached(config: PretrainedConfig, quantize: _Quantize | None) -> Path:
    """Find a model with random weights in the cache, or make it.

    Raises:
        KapruneError: The cache cannot be written to.
    """
    folder = cache_folder() / "baselines" / _key(config, quantize)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not folder.exists():
                with new_folder(folder) as staging:
                    _make(config, staging, quantize)
    except OSError as error:
        raise KapruneError(
            f"cannot keep a baseline in {folder.parent} ({error.strerror or error}); "
            "set KAPRUNE_CACHE to another folder"
        ) from error
    return folder


def _key(config: PretrainedConfig, quantize: _Quantize | None) -> str:
    """Hash all that a model's speed depends on: its shape, the exporter's code, the packages under it."""
    how = quantize and quantize.keywords
    digest = hashlib.sha256(f"{how} {config.to_json_string(use_diff=False)}".encode())
    for package in ("onnxruntime", "onnxscript", "torch", "transformers"):
        digest.update(f"{package} {version(package)}".encode())
    for path in sorted(Path(export.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _make(config: PretrainedConfig, folder: Path, quantize: _Quantize | None) -> None:
    if quantize is not None:
        _quantize(_cached(config, None), folder, quantize)
        return
    model = export.to_onnx(head_class(config).from_config(config))
    optimization()(model)
    write_onnx(model, folder / MODEL)
    config.save_pretrained(folder)


def _quantize(source: Path, folder: Path, quantize: _Quantize) -> Path:
    """Write the int8 twin of a deployment, with the small files that run it."""
    quantize(source / MODEL, folder / MODEL)
    for path in source.iterdir():
        if path.suffix in (".json", ".txt") and path.name != MANIFEST:
            shutil.copy(path, folder)
    write_json(folder / MANIFEST, {"format_version": FORMAT_VERSION, "files": {}})
    return folder
