import hashlib
import json
import shutil
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny import make_model, make_tokenizer
from transformers import PreTrainedTokenizerBase


def write_manifest(folder):
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in folder.iterdir()
    }
    (folder / "kaprune.json").write_text(json.dumps({"format_version": 1, "files": files}))


def write_deployment(folder, model, tokenizer):
    """Export with PyTorch's older exporter: quick, and not the one under test elsewhere."""
    folder.mkdir()
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    names = tokenizer.model_input_names
    example = tuple(torch.ones(2, 8, dtype=torch.long) for _ in names)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *inputs):
            return self.model(**dict(zip(names, inputs, strict=True))).logits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits().eval(),
            example,
            folder / "model.onnx",
            input_names=list(names),
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "sequence"} for name in names},
            dynamo=False,
        )
    write_manifest(folder)
    return folder


@dataclass(frozen=True)
class Tiny:
    """A deployment and the PyTorch model and tokenizer that it was made from."""

    folder: Path
    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Make (once each) a tiny random deployment: architecture, then settings of its config."""

    @cache
    def make(model_type="bert", **settings):
        tokenizer = make_tokenizer(model_type)
        model = make_model(model_type, vocab_size=len(tokenizer), **settings)
        folder = write_deployment(tmp_path_factory.mktemp(model_type) / "deployment", model, tokenizer)
        return Tiny(folder, model, tokenizer)

    return make


@pytest.fixture
def copy(tiny, tmp_path):
    """A deployment that the test may damage."""
    return Path(shutil.copytree(tiny().folder, tmp_path / "copy"))
