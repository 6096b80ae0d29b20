import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    MPNetConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 42,
}
CONFIGS = {
    "bert": (BertConfig, {**SHAPE, "pad_token_id": 0}),
    "electra": (ElectraConfig, {**SHAPE, "embedding_size": 16, "pad_token_id": 0}),
    "roberta": (RobertaConfig, {**SHAPE, "pad_token_id": 1}),
    "mpnet": (MPNetConfig, {**SHAPE, "pad_token_id": 1}),
    "distilbert": (
        DistilBertConfig,
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 42},
    ),
}
CORPUS = [
    "the film is a warm and funny story of two brothers",
    "a dull plot , flat acting and no end in sight",
    "what a lovely evening at the cinema !",
    "not worth the price of the ticket",
]


def make_tokenizer(model_type):
    """Train a byte-pair tokenizer for RoBERTa, a word-piece one otherwise, with its post-processor."""
    if model_type in ("roberta", "mpnet"):
        special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
        start, end = ("<s>", 0), ("</s>", 2)
    else:
        special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
        start, end = ("[CLS]", 2), ("[SEP]", 3)
    if model_type == "roberta":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=list(special.values()))
        tokenizer.post_processor = processors.RobertaProcessing(end, start)
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk"]))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=list(special.values()))
        tokenizer.post_processor = processors.BertProcessing(end, start)
    tokenizer.train_from_iterator(CORPUS, trainer)
    names = {f"{role}_token": token for role, token in special.items()}
    inputs = ["input_ids", "attention_mask"]
    if model_type in ("bert", "electra"):
        inputs.insert(1, "token_type_ids")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names)


def make_model(model_type, *, label_names=None, **settings):
    torch.manual_seed(7)
    if label_names is not None:
        settings["id2label"] = dict(enumerate(label_names))
    config_class, shape = CONFIGS[model_type]
    config = config_class(**shape, **settings, initializer_range=0.3)
    return AutoModelForSequenceClassification.from_config(config).eval()


def write_manifest(folder):
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in folder.iterdir()
    }
    (folder / "kaprune.json").write_text(json.dumps({"format_version": 1, "files": files}))


def write_deployment(folder, model, tokenizer):
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
    tokenizer: PreTrainedTokenizerFast


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
