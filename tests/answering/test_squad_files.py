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


def given(text, start):
    return {"question": "who ?", "answers": [{"text": text, "answer_start": start}]}


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


@pytest.mark.parametrize(("version", "allowed"), [("v2.0", True), ("1.1", False)])
def test_no_answers_without_a_flag_are_none_in_squad_2_alone(load, version, allowed):
    content = squad(asked(), {"question": "why ?", "answers": []}).replace('"x"', f'"{version}"')
    if allowed:
        assert load(content).train["answers"][:] == [["two brothers"], []]
    else:
        with pytest.raises(
            InputError, match='"why \\?" has no answers; give them, or say "is_impossible": true'
        ):
            load(content)


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
        (squad(asked(start=3)), r'the answer "two brothers" to "who \?" in .*json is not at character 3'),
        (squad(asked(start=-12)), r"is not at character -12"),
        (squad({"question": "who ?"}), r'"who \?" has no answers; give them, or say "is_impossible": true'),
        (squad({**asked(), "is_impossible": True}), r"has answers and is_impossible; leave one of them out"),
        (squad({**asked(), "is_impossible": "false"}), r"has is_impossible 'false'; write true or false"),
        (squad({**asked(), "answers": asked()["answers"][0]}), r"has answers that are no list; give \[{"),
        (
            squad({**asked(), "answers": {"text": ["a"], "answer_start": [0]}}),
            r"has answers that are no list",
        ),
        (squad({**asked(), "answers": ["two"]}), r"has answers that are no list"),
        (squad(given("two", str(START))), r'answer_start of "two" to .* is "\d+"; give a whole number'),
        (squad(given("two", None)), r"answer_start .* is null; give a whole number"),
        (squad(given("", 0)), r'an answer to "who \?" in .* is ""; give a text with words'),
        (squad(given(" ", CONTEXT.index(" "))), r"give a text with words"),
        (squad(asked(len(CONTEXT[:START].encode()))), r"not bytes or UTF-16 units"),
        (squad(asked(), context=None), r"has a question or context that is no text"),
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
