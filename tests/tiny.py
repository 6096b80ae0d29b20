"""Tiny random models of every supported architecture, made on the spot."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
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
    """Make a byte-level tokenizer for RoBERTa, a word-piece one otherwise, with its post-processor."""
    if model_type in ("roberta", "mpnet"):
        special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
        start, end = ("<s>", 0), ("</s>", 2)
    else:
        special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
        start, end = ("[CLS]", 2), ("[SEP]", 3)
    if model_type == "roberta":
        pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = Tokenizer(models.BPE(_vocabulary(special, pieces), [], unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.post_processor = processors.RobertaProcessing(end, start)
    else:
        words = sorted(set(" ".join(CORPUS).split()))
        letters = sorted(set("".join(words)))
        pieces = dict.fromkeys([*letters, *(f"##{letter}" for letter in letters), *words])
        tokenizer = Tokenizer(models.WordPiece(_vocabulary(special, pieces), unk_token=special["unk"]))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.post_processor = processors.BertProcessing(end, start)
    names = {f"{role}_token": token for role, token in special.items()}
    inputs = ["input_ids", "attention_mask"]
    if model_type in ("bert", "electra"):
        inputs.insert(1, "token_type_ids")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names)


def _vocabulary(special, pieces):
    return {token: index for index, token in enumerate([*special.values(), *pieces])}


def make_model(model_type, *, label_names=None, head=AutoModelForSequenceClassification, **settings):
    torch.manual_seed(7)
    if label_names is not None:
        settings["id2label"] = dict(enumerate(label_names))
    config_class, shape = CONFIGS[model_type]
    config = config_class(**{**shape, "initializer_range": 0.3, **settings})
    return head.from_config(config).eval()
