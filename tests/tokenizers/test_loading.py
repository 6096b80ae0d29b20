"""Tokenizers that are not as they should be: one clear line, as soon as they are loaded."""

import json
import shutil

import pytest
import tiny
from transformers import BertConfig

from kaprune_edge.checkpoints import load_tokenizer
from kaprune_runtime.errors import InputError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    tokenizer = tiny.make_tokenizer("bert")
    tokenizer.save_pretrained(folder)
    shape = {**tiny.SHAPE, "vocab_size": len(tokenizer), "pad_token_id": 0}
    BertConfig(**shape, architectures=["BertForSequenceClassification"]).save_pretrained(folder)
    return folder


@pytest.fixture
def source(made, tmp_path):
    return shutil.copytree(made, tmp_path / "source")


def edit(folder, name="tokenizer_config.json", **changes):
    (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **changes}))


def replace(folder, name, content):
    path = folder / "tokenizer.json"
    path.unlink()
    (folder / name).write_bytes(content)


def replace_by_link(folder, target):
    (folder / "tokenizer_config.json").unlink()
    (folder / "tokenizer_config.json").symlink_to(target)


def end_beyond(folder):
    description = json.loads((folder / "tokenizer.json").read_text())
    description["post_processor"]["sep"][1] = 9999
    (folder / "tokenizer.json").write_text(json.dumps(description))


BROKEN = {
    "sentencepiece": (
        lambda f: replace(f, "spiece.model", b"\x0a\x0b"),
        "needs the package sentencepiece; run `pip install sentencepiece`, or add its tokenizer.json",
    ),
    "Git LFS pointer": (
        lambda f: replace(f, "tokenizer.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        r"tokenizer\.json is a Git LFS pointer, not the file itself; run `git lfs pull` there",
    ),
    "cut short": (lambda f: replace(f, "tokenizer.json", b'{"version": "1.0", '), "not readable JSON"),
    "another object": (lambda f: replace(f, "tokenizer.json", b'{"a": 1}'), "is damaged"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "holds no tokenizer; add its tokenizer.json"),
    "ids beyond the table": (end_beyond, "has 10000 tokens but the model embeddings for"),
    "slow only": (
        lambda f: (
            (f / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n"),
            edit(f, tokenizer_class="BertweetTokenizer"),
        ),
        "tokenizer in",
    ),
    "endless": (
        lambda f: replace_by_link(f, "/dev/zero"),
        r"tokenizer_config\.json is no file that can be read",
    ),
    "broken link": (
        lambda f: replace_by_link(f, "nowhere"),
        r"tokenizer_config\.json is no file that can be read",
    ),
    "fraction": (lambda f: edit(f, model_max_length=20.5), "model_max_length 20.5, which must be a number"),
    "zero": (lambda f: edit(f, model_max_length=0), "model_max_length 0, which must be"),
    "negative": (lambda f: edit(f, model_max_length=-3), "model_max_length -3, which must be"),
    "text": (lambda f: edit(f, model_max_length="20"), "model_max_length '20', which must be"),
    "side": (lambda f: edit(f, truncation_side=None), "truncation_side None, which must be right or left"),
    "names": (
        lambda f: edit(f, model_input_names="input_ids"),
        "model_input_names 'input_ids', which must be",
    ),
    "no special tokens": (
        lambda f: edit(f, add_special_tokens=False),
        "sets add_special_tokens to False, which is not supported",
    ),
    "split special tokens": (
        lambda f: edit(f, split_special_tokens=True),
        "sets split_special_tokens to True, which is not supported",
    ),
}


@pytest.mark.parametrize("spoil, message", BROKEN.values(), ids=BROKEN)
def test_refused_when_loaded(source, spoil, message):
    spoil(source)
    with pytest.raises(InputError, match=message) as caught:
        load_tokenizer(str(source))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length, expected", [(None, 42), (1e30, 42), (int(1e30), 42), (20.0, 20), (7, 7)])
def test_the_longest_text(source, length, expected):
    edit(source, model_max_length=length)
    assert load_tokenizer(str(source)).model_max_length == expected


def test_a_padding_token_that_the_settings_leave_out(source):
    edit(source, pad_token=None)
    assert load_tokenizer(str(source)).pad_token == "[PAD]"
