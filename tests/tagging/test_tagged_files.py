import json

import pytest
import tiny

from kaprune_edge.tasks import load_task, tokenize
from kaprune_runtime.errors import InputError

GOOD = [{"tokens": ["two", "brothers", "of", "film"], "tags": ["B-PER", "I-PER", "O", "B-LOC"]}]


@pytest.fixture
def load(tmp_path):
    def load(train, evaluation=None, name="jsonl"):
        for side, rows in (("train", train), ("eval", train if evaluation is None else evaluation)):
            text = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows))
            (tmp_path / f"{side}.{name}").write_text(text, encoding="utf-8")
        return load_task(f"tags:{tmp_path / f'train.{name}'},{tmp_path / f'eval.{name}'}")

    return load


def test_rows_of_json_lines(load):
    task = load(GOOD)
    assert task.label_names == ("O", "B-LOC", "B-PER", "I-PER")
    assert task.train[:] == {"tokens": [GOOD[0]["tokens"]], "label": [[2, 3, 0, 1]]}
    assert task.metrics[0] == "f1"


def test_rows_of_conll_columns(load):
    text = "-DOCSTART- -X- O\n\ntwo CD B-PER\nbrothers NNS I-PER\n\n\nfilm\tNN\tO\r\n"
    task = load(text, name="conll")
    assert task.train["tokens"][:] == [["two", "brothers"], ["film"]]
    assert task.train["label"][:] == [[1, 2], [0]]


def test_a_word_goes_on_in_its_later_tokens(load):
    """The word-piece tokenizer knows `film` and `two` whole, and `it` as two letters."""
    rows = [{"tokens": ["it", "two", "it", "film"], "tags": ["B-PER", "I-PER", "S-LOC", "O"]}]
    task = load(rows)
    tokenizer = tiny.make_tokenizer("bert")
    (row,) = tokenize(task.train, task, tokenizer, 32)
    names = [task.label_names[label] if label >= 0 else None for label in row["labels"]]
    assert tokenizer.convert_ids_to_tokens(row["input_ids"])[1:3] == ["i", "##t"]
    assert names == [None, "B-PER", "I-PER", "I-PER", "S-LOC", None, "O", None]


def test_a_long_row_becomes_windows(load):
    task = load([{"tokens": ["film", "two"] * 30, "tags": ["O", "B-PER"] * 30}])
    rows = tokenize(task.train, task, tiny.make_tokenizer("bert"), 16)
    assert len(rows) > 3 and max(rows["length"]) == 16
    assert all(row["labels"][1:-1].count(0) == len(row["labels"][1:-1]) // 2 for row in rows)


def row(**changes):
    return [{**GOOD[0], **changes}]


@pytest.mark.parametrize(
    ("train", "evaluation", "message"),
    [
        (row(tags=["O"]), None, r"line 1 of .* has 4 tokens but 1 tags"),
        (row(tokens="two brothers"), None, r"line 1 of .* has no list of words under 'tokens'"),
        (row(tokens=["two", " ", "of", "film"]), None, r"no list of words under 'tokens'"),
        ([{"tokens": ["two"]}], None, r"no list of words under 'tags'"),
        (row(tags=["O"] * 4), None, r"all have the same label"),
        (GOOD, [{"tokens": ["x"], "tags": ["B-GPE"]}], r"unknown label 'B-GPE'; it must be one of O, B-LOC"),
        (GOOD, [{"tokens": [], "tags": []}], r"has no evaluation rows"),
        (GOOD, "[1]", r"is no JSON object"),
    ],
)
def test_bad_rows(load, train, evaluation, message):
    with pytest.raises(InputError, match=message):
        load(train, evaluation)


def test_a_column_file_without_tags(load):
    with pytest.raises(InputError, match=r"line 2 of .* has no tag"):
        load("two B-PER\nbrothers\n", name="txt")
