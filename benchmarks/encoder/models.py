"""The models of the encoder benchmark: two shapes, random weights, pruned by magnitude in one step."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, BertConfig, PreTrainedModel

from kaprune_edge.artifacts import new_folder
from kaprune_edge.bench.baselines import make_baseline
from kaprune_edge.bench.comparison import Entrant
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.export import to_onnx
from kaprune_edge.export.onnx_file import write_onnx
from kaprune_edge.export.passes import optimization, quantization
from kaprune_edge.sparsity.patterns import parse_pattern
from kaprune_runtime.deployment import MODEL

DENSE = "dense"
BASELINES = [
    "dense:int8",
    "tinybert-6l-768d",
    "tinybert-6l-768d:int8",
    "tinybert-4l-312d",
    "tinybert-4l-312d:int8",
]
SPARSE = {
    "95 % 4x1": ("4x1", 0.95, None),
    "95 % unstructured": ("unstructured", 0.95, None),
    "97 % 4x1": ("4x1", 0.97, None),
    "90 % 4x1": ("4x1", 0.90, None),
    "90 % 4x1 int8": ("4x1", 0.90, "int8"),
    "95 % 4x1 int8": ("4x1", 0.95, "int8"),
    "95 % 4x4 int8": ("4x4", 0.95, "int8"),
    "95 % 1x4 int8": ("1x4", 0.95, "int8"),
}
"""Pattern, sparsity, and what the packed matrices are rounded to."""


@dataclass(frozen=True)
class Shape:
    """What is timed of one shape."""

    config: BertConfig
    names: list[str]
    settings: list[tuple[int, int]]
    """Tokens and threads."""


SHAPES = {
    "bert-base": Shape(
        BertConfig(),
        [DENSE, *BASELINES, *(name for name in SPARSE if name != "90 % 4x1 int8")],
        [(16, 1), (32, 1), (64, 1), (128, 1), (256, 1), (384, 1), (512, 1), (16, 2), (128, 2), (384, 2)],
    ),
    "minilm": Shape(
        BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536),
        [DENSE, "dense:int8", "90 % 4x1", "90 % 4x1 int8", "95 % 4x1", "95 % 4x1 int8"],
        [(16, 1), (32, 1), (64, 1), (128, 1), (256, 1)],
    ),
}
BERT_BASE = "bert-base"


def entrant(name: str, work: Path, shape: str = BERT_BASE) -> Entrant:
    """Find or make a model by its name in the tables."""
    if name in SPARSE:
        return Entrant(name, _sparse(name, work, shape))
    return make_baseline(name, _sparse(next(iter(SPARSE)), work, shape), work)


def plain_file(name: str, work: Path) -> Path:
    """Write a sparse model as other engines take it: ONNX of opset 14, zeros among dense weights."""
    file = work / "plain.onnx"
    if not file.exists():
        example = torch.ones(1, 128, dtype=torch.int64)
        names = ["input_ids", "attention_mask", "token_type_ids"]
        axes = {each: {0: "batch", 1: "tokens"} for each in names}
        model = _pruned(name, BERT_BASE)
        model.config.return_dict = False
        torch.onnx.export(
            model, (example,) * 3, file, input_names=names, dynamic_axes=axes, opset_version=14, dynamo=False
        )
    return file


def _sparse(name: str, work: Path, shape: str) -> Path:
    folder = work / shape / name.replace(" ", "-").replace("%", "pct")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        model = _pruned(name, shape)
        onnx_model = to_onnx(model)
        optimization()(onnx_model)
        if rounding := quantization(weights=SPARSE[name][2], embeddings=None):
            rounding(onnx_model)
        with new_folder(folder) as staging:
            write_onnx(onnx_model, staging / MODEL)
            model.config.save_pretrained(staging)
    return folder


def _pruned(name: str, shape: str) -> PreTrainedModel:
    text, sparsity, _ = SPARSE[name]
    pattern = parse_pattern(text)
    torch.manual_seed(0)
    config = SHAPES[shape].config
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for matrix in encoder_matrices(model).values():
            matrix.mul_(pattern.mask(matrix.abs(), sparsity))
    return model
