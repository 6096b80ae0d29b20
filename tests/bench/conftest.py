import os

import datasets
import numpy as np
import onnx_ir as ir
import psutil
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from kaprune_edge.export.from_torch import to_onnx
from kaprune_edge.tasks.task import Task

WORDS = ["a", "the", "film", "plot", "is", "was", "not", "very", "good", "bad", "dull", "warm", "funny"]


@pytest.fixture(scope="session")
def tokenizer():
    vocabulary = {token: index for index, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


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
    draw = np.random.default_rng(3)
    texts = [" ".join(draw.choice(WORDS, draw.integers(1, 60))) for _ in range(50)]
    rows = datasets.Dataset.from_dict({"sentence": texts, "label": draw.integers(0, 2, 50).tolist()})
    return Task("random words", ("sentence",), ("bad", "good"), rows, rows, ("accuracy", "f1"))


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    workers = [
        p for p in psutil.Process(os.getpid()).children(recursive=True) if "kaprune_runtime" in p.cmdline()
    ]
    assert workers == []
