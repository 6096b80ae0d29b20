import os

import datasets
import numpy as np
import onnx_ir as ir
import psutil
import pytest
import torch
from tiny import CORPUS, make_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from kaprune_edge.export.from_torch import to_onnx
from kaprune_edge.tasks.task import Task


@pytest.fixture(scope="session")
def tokenizer():
    return make_tokenizer("bert")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, tokenizer):
    """Make a random one-layer BERT of a width, as a Hugging Face checkpoint folder."""

    def make(width, num_labels=2):
        torch.manual_seed(width)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=2 * width,
            max_position_embeddings=40,
            num_labels=num_labels,
            initializer_range=0.3,
        )
        folder = tmp_path_factory.mktemp("checkpoint") / f"bert{width}"
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def deployment(checkpoint, tokenizer):
    """Make a deployment of such a checkpoint, and give its PyTorch model too."""

    def make(width, num_labels=2):
        source = checkpoint(width, num_labels)
        model = BertForSequenceClassification.from_pretrained(source).eval()
        folder = source.with_name(f"deployment{width}")
        folder.mkdir()
        ir.save(to_onnx(model), folder / "model.onnx")
        model.config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder, model

    return make


@pytest.fixture(scope="session")
def small(deployment):
    return deployment(32)


@pytest.fixture(scope="session")
def large(deployment):
    return deployment(256)


@pytest.fixture(scope="session")
def task():
    draw, words = np.random.default_rng(3), " ".join(CORPUS).split()
    texts = [" ".join(draw.choice(words, draw.integers(1, 60))) for _ in range(50)]
    rows = datasets.Dataset.from_dict({"sentence": texts, "label": draw.integers(0, 2, 50).tolist()})
    return Task("random words", ("sentence",), ("bad", "good"), rows, rows, ("accuracy", "f1"))


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    workers = [
        p for p in psutil.Process(os.getpid()).children(recursive=True) if "kaprune_runtime" in p.cmdline()
    ]
    assert workers == []
