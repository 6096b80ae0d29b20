import json

import pytest
import tiny

from kaprune_edge.tasks import load_task, tokenize
from kaprune_runtime.errors import InputError

CONTEXT = "Zoë – a “warm” film of two brothers"


def squad(*asked, context=CONTEXT):
    return json.dumps(
        {"version": "x", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": asked}]}]}
    )


START = CONTEXT.index("two")


def asked(start=START):
    answers = [{"text": "two brothers", "answer_start": start}]
    return {"id": "1", "question": "who ?", "answers": answers}


@pytest.fixture
def load(tmp_path):
    def load(train, evaluation=None):
        for side, text in (("train", train), ("eval", evaluation or train)):
            (tmp_path / f"{side}.json").write_text(text, encoding="utf-8")
        return load_task(f"squad:{tmp_path / 'train.json'},{tmp_path / 'eval.json'}")

    return load


def test_rows_with_and_without_answers(load):
    task = load(squad(asked(), {"question": "why ?", "answers": [], "is_impossible": True}))
    assert task.train["answers"][:] == [["two brothers"], []]
    assert task.train["starts"][:] == [[START], []]
    assert (task.metrics, task.num_labels) == (("f1", "exact_match"), 2)


@pytest.mark.parametrize("model_type", ["bert", "roberta"])
def test_targets_are_the_tokens_of_the_answer(load, model_type):
    task = load(squad(asked(), {"question": "why ?", "is_impossible": True}))
    tokenizer = tiny.make_tokenizer(model_type)
    found, none = tokenize(task.train, task, tokenizer, 120)
    answer = tokenizer.decode(found["input_ids"][found["start_positions"] : found["end_positions"] + 1])
    assert answer.replace(" ", "").replace("Ġ", "") == "twobrothers"
    assert (none["start_positions"], none["end_positions"]) == (0, 0)


def test_windows_without_the_answer_point_to_their_first_token(load):
    task = load(squad(asked(start=0), context="two brothers " + "the film " * 20))
    rows = tokenize(task.train, task, tiny.make_tokenizer("bert"), 20)
    assert len(rows) > 2
    assert rows["start_positions"][0] > 0 and not any(rows["start_positions"][1:])


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (squad(asked(start=3)), r'the answer "two brothers" to "who \?" is not at character 3'),
        (squad(asked(start=-12)), r"is not at character -12"),
        (squad({"question": "who ?"}), r'"who \?" has no answers; give them, or say "is_impossible": true'),
        (squad({"question": "who ?", "is_impossible": True}), r"all have the same label"),
        (squad({"answers": []}), r"is not in SQuAD's layout \('question'\)"),
        ('{"data": 1}', r"is not in SQuAD's layout"),
        ("[]", r"is not in SQuAD's layout"),
        ("{", r"line 1 of .* is not JSON"),
        ('{"data": []}', r"has no training rows"),
    ],
)
def test_bad_files(load, train, message):
    with pytest.raises(InputError, match=message):
        load(train)
