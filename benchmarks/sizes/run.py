"""Measures where a deployment's bytes go, after each step of an export.

`python benchmarks/sizes/run.py` writes results.json: BERT-base's shape pruned to 95 % and MiniLM-L6 to 90 %,
both in 4x1 blocks, by magnitude in one step: bytes depend on the mask's shape, not on how good it is. The
vocabulary is trimmed to 10,605 sentences of movie reviews.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx_ir as ir
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, PreTrainedModel

from kaprune_edge.assets import default_model, movie_reviews
from kaprune_edge.checkpoints import load_tokenizer
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.export import to_onnx
from kaprune_edge.export.deployment import write_model
from kaprune_edge.export.manifest import byte_report
from kaprune_edge.export.passes import optimization, quantization
from kaprune_edge.export.source import Source
from kaprune_edge.export.trim import trim_vocabulary
from kaprune_edge.sparsity.patterns import Blocks
from kaprune_runtime.deployment import MODEL

HERE = Path(__file__).parent
MODELS = {"MiniLM-L6 90 % 4x1": 0.9, "BERT-base 95 % 4x1": 0.95}

PACKED_INT8 = "int8 weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "results.json", help="file to write")
    arguments = parser.parse_args()
    results = {}
    for name, sparsity in MODELS.items():
        with TemporaryDirectory() as scratch:
            results[name] = dict(steps(make_model(name, sparsity), Path(scratch)))
        arguments.output.write_text(json.dumps(results, indent=2) + "\n")


def make_model(name: str, sparsity: float) -> PreTrainedModel:
    torch.manual_seed(0)
    if name.startswith("BERT-base"):
        model = AutoModelForSequenceClassification.from_config(BertConfig())
    else:
        model = AutoModelForSequenceClassification.from_pretrained(default_model())
    with torch.no_grad():
        for weight in encoder_matrices(model).values():
            weight.mul_(Blocks(4, 1).mask(weight.abs(), sparsity))
    return model.eval()


def steps(model: PreTrainedModel, scratch: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Give the bytes of each part after each step."""
    graph, tokenizer = to_onnx(model), load_tokenizer(str(default_model()))
    source = Source(
        "", graph, model.config, tokenizer, reference=lambda feeds: feeds["input_ids"], metrics={}
    )
    yield "dense", report(source, scratch / "dense")
    optimization(integers=True)(graph)
    yield "packed", report(source, scratch / "packed")
    rounding = quantization(weights="int8", embeddings=None)
    assert rounding is not None
    rounding(graph)
    yield PACKED_INT8, report(source, scratch / PACKED_INT8)
    for kind in ("int8", "int4"):
        yield f"{kind} embeddings", rounded(reopened(source, scratch), kind, scratch / kind)
    corpus = scratch / "reviews.txt"
    corpus.write_text("\n".join(sentences()), encoding="utf-8")
    trimmed = trim_vocabulary(reopened(source, scratch), corpus)
    yield "trimmed vocabulary", rounded(trimmed, "int4", scratch / "trimmed")


def sentences() -> list[str]:
    """Read the reviews: a number, a rating, a text a line."""
    return [line.split("\t")[2] for line in movie_reviews().read_text(encoding="utf-8").splitlines()]


def reopened(source: Source, scratch: Path) -> Source:
    return replace(source, model=ir.load(scratch / PACKED_INT8 / MODEL))


def rounded(source: Source, embeddings: str, folder: Path) -> dict[str, int]:
    rounding = quantization(weights=None, embeddings=embeddings)
    assert rounding is not None
    rounding(source.model)
    return report(source, folder)


def report(source: Source, folder: Path) -> dict[str, int]:
    """Write what a deployment holds, and count."""
    folder.mkdir()
    write_model(source, folder)
    parts = byte_report(source.model, folder / MODEL)
    others = sum(path.stat().st_size for path in folder.iterdir() if path.name != MODEL)
    return {"tokens": source.config.vocab_size, **parts, "tokenizer_and_config": others}


if __name__ == "__main__":
    main()
