import numpy as np
import pytest
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from kaprune_edge.tasks import Task, tokenize

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e", "f"]
CLS, SEP, A = 2, 3, 4


@pytest.fixture
def bert(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    return BertTokenizerFast.from_pretrained(tmp_path)


def split(labels, **texts):
    return Dataset.from_dict({**texts, "label": labels})


def task(*columns, label_names=("x", "y")):
    empty = split([], **{column: [] for column in columns})
    return Task("t", columns, label_names, empty, empty, ("accuracy",))


def test_single_texts(bert):
    tokens = tokenize(split([1, 0], text=["a b", "c"]), task("text"), bert, 8)
    assert tokens[:] == {
        "input_ids": [[CLS, A, A + 1, SEP], [CLS, A + 2, SEP]],
        "token_type_ids": [[0] * 4, [0] * 3],
        "attention_mask": [[1] * 4, [1] * 3],
        "labels": [1, 0],
        "length": [4, 3],
    }


def test_pairs_lose_tokens_of_the_longer_text(bert):
    tokens = tokenize(split([1], p=["a b c d e f"], q=["f e"]), task("p", "q"), bert, 8)
    assert tokens["input_ids"][0] == [CLS, A, A + 1, A + 2, SEP, A + 5, A + 4, SEP]
    assert tokens["token_type_ids"][0] == [0] * 5 + [1] * 3


def test_a_tokenizer_that_pads_by_itself_is_overruled(bert):
    bert.backend_tokenizer.enable_padding(length=16)
    bert.backend_tokenizer.enable_truncation(4)
    assert tokenize(split([0], text=["a b c d"]), task("text"), bert, 8)["length"][:] == [6]


def test_values_stay_values(bert):
    tokens = tokenize(split([0.5, 2.0], text=["a", "b"]), task("text", label_names=()), bert, 8)
    assert tokens["labels"][:] == [0.5, 2.0]


def test_no_token_types_without_a_tokenizer_that_makes_them():
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    plain = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", model_input_names=["input_ids", "attention_mask"]
    )
    tokens = tokenize(split([0], text=["a"]), task("text"), plain, 8)
    assert sorted(tokens.column_names) == ["attention_mask", "input_ids", "labels", "length"]


def test_many_rows_keep_their_order_quietly_and_leave_no_file(bert, capfd):
    counts = np.random.default_rng(0).integers(1, 30, size=25_000)
    rows = split((counts % 2).tolist(), text=["a " * count for count in counts])
    tokens = tokenize(rows, task("text"), bert, 64)
    assert tokens["length"][:] == (counts + 2).tolist()
    assert tokens["labels"][:] == rows["label"][:]
    assert not tokens.cache_files
    assert capfd.readouterr() == ("", "")
