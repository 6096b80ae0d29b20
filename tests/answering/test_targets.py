"""The tokens that training takes for an answer, against what a person would mark."""

import json

import pytest
import tiny
from tokenizers import normalizers

from kaprune_edge.tasks import load_task, tokenize

CONTEXT = "  the film is a warm and funny story of two brothers ! "


@pytest.fixture
def marked(tmp_path):
    """Return the tokens between the targets of each window, none where they say that there is no answer."""

    def marked(context, answers, *, max_length=60, normalizer=None):
        told = [{"text": context[start:end], "answer_start": start} for start, end in answers]
        rows = {"context": context, "qas": [{"question": "what ?", "answers": told}]}
        file = tmp_path / "rows.json"
        file.write_text(json.dumps({"data": [{"paragraphs": [rows]}]}))
        task = load_task(f"squad:{file},{file}")
        tokenizer = tiny.make_tokenizer("bert")
        if normalizer is not None:
            tokenizer.backend_tokenizer.normalizer = normalizer
        found = []
        for row in tokenize(task.train, task, tokenizer, max_length):
            first, last = row["start_positions"], row["end_positions"]
            found.append(tokenizer.convert_ids_to_tokens(row["input_ids"][first : last + 1]) if last else [])
        return found

    return marked


def place(context, text):
    start = context.index(text)
    return start, start + len(text)


@pytest.mark.parametrize("answer", ["the film", "  the film", " the film ", "the film ", "two brothers ! "])
def test_white_space_at_an_end_changes_nothing(marked, answer):
    assert marked(CONTEXT, [place(CONTEXT, answer)]) == [answer.split()]


@pytest.mark.parametrize("space", ["\n", "\t", "\r\n", "\xa0", "\u2028", " \u3000", "\u200b", "\x07"])
def test_characters_that_no_token_has(marked, space):
    """BERT's own normalizer turns or deletes all of these."""
    context = f"a dull {space}two brothers{space} plot"
    answer = place(context, f"{space}two brothers{space}")
    assert marked(context, [answer], normalizer=normalizers.BertNormalizer()) == [["two", "brothers"]]


def test_an_answer_that_begins_or_ends_within_a_word_has_the_words_tokens(marked):
    assert marked(CONTEXT, [place(CONTEXT, "ilm is a wa")]) == [["film", "is", "a", "warm"]]


def test_a_window_has_the_first_answer_that_is_whole_in_it(marked):
    context = "two brothers " + "the film " * 12 + "two brothers"
    first, last = (0, 12), (len(context) - 12, len(context))
    windows = marked(context, [last, first], max_length=20)
    assert len(windows) > 2
    assert windows[0] == windows[-1] == ["two", "brothers"] and not any(windows[1:-1])


def test_an_answer_that_windows_cut_is_in_none_of_them(marked):
    context = " two brothers " + "the film " * 12
    assert not any(marked(context, [(0, 100)], max_length=20))
    assert any(marked(context, [(0, 13)], max_length=20))
