import pytest
from tiny import make_tokenizer

from kaprune_runtime.errors import InputError
from kaprune_runtime.windows import windows

TEXT = "  the “film” is a warm and funny story of two brothers – 東京 ! " * 4


@pytest.mark.parametrize("question", [None, "what a lovely evening"])
@pytest.mark.parametrize("length", [20, 33, 500])
@pytest.mark.parametrize("model_type", ["bert", "roberta", "mpnet"])
def test_own_tokens_of_all_windows_are_the_text(model_type, length, question):
    tokenizer = make_tokenizer(model_type)
    cut = windows(tokenizer.backend_tokenizer, TEXT, length, question)
    whole = tokenizer.backend_tokenizer.encode(TEXT, add_special_tokens=False)
    own = [(window.encoding, position) for window in cut for position in window.own]
    assert [encoding.ids[position] for encoding, position in own] == whole.ids
    assert [encoding.offsets[position] for encoding, position in own] == whole.offsets
    assert max(len(window.encoding.ids) for window in cut) <= length
    assert (len(cut) == 1) == (length == 500)


def test_windows_equal_those_of_transformers():
    tokenizer = make_tokenizer("bert")
    cut = windows(tokenizer.backend_tokenizer, TEXT, 32)
    expected = tokenizer(
        TEXT, max_length=32, truncation=True, stride=int(30 * 0.25), return_overflowing_tokens=True
    )
    assert [window.encoding.ids for window in cut] == expected["input_ids"]


def test_text_of_later_windows_keeps_its_token_type():
    cut = windows(make_tokenizer("bert").backend_tokenizer, TEXT, 24, "what a lovely evening")
    for window in cut:
        assert {window.encoding.type_ids[position] for position in window.text} == {1}


def test_a_long_question_leaves_half_of_the_room():
    (window, *_) = windows(make_tokenizer("bert").backend_tokenizer, TEXT, 43, "what " * 99)
    assert len(window.text) == 20


def test_an_empty_text_is_one_window():
    (window,) = windows(make_tokenizer("bert").backend_tokenizer, "", 16)
    assert (len(window.encoding.ids), list(window.own)) == (2, [])


def test_no_room():
    with pytest.raises(InputError, match="5 tokens leave no room"):
        windows(make_tokenizer("bert").backend_tokenizer, TEXT, 5)
