import numpy as np
import pytest
from tiny import make_tokenizer

from kaprune_runtime.answering import LONGEST_ANSWER, find_answer
from kaprune_runtime.windows import windows

CONTEXT = "„Zoë“ saw the film – 東京 – two brothers and a warm story of the cinema"


@pytest.fixture(params=["bert", "roberta", "mpnet"])
def tokenizer(request):
    return make_tokenizer(request.param).backend_tokenizer


def brute_force(cut, outputs):
    best = None
    for window, scores in zip(cut, outputs, strict=True):
        offsets = window.encoding.offsets
        real = [at for at in window.text if offsets[at][0] < offsets[at][1]]
        for first in real:
            for last in real:
                if first <= last < first + LONGEST_ANSWER:
                    found = scores[first, 0] + scores[last, 1], offsets[first][0], offsets[last][1]
                    best = max(best or found, found)
    return best[1:]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("length", [24, 300])
def test_the_best_span_of_all_windows(tokenizer, length, seed):
    cut = windows(tokenizer, CONTEXT, length, "what film")
    random = np.random.default_rng(seed)
    outputs = [random.normal(size=(len(window.encoding.ids), 2)).astype(np.float32) for window in cut]
    answer = find_answer(CONTEXT, cut, outputs)
    start, end = brute_force(cut, outputs)
    assert answer.text == CONTEXT[answer.start : answer.end] == CONTEXT[start:end].strip()
    assert 0 < answer.score < 1


def test_no_answer_by_threshold(tokenizer):
    (window,) = windows(tokenizer, CONTEXT, 300, "what film")
    scores = np.zeros((len(window.encoding.ids), 2), np.float32)
    scores[0], scores[window.text[4]] = 2, 1
    answers = [find_answer(CONTEXT, [window], [scores], threshold) for threshold in (None, 1.9, 2.1)]
    assert [bool(answer.text) for answer in answers] == [True, False, True]


def test_an_empty_text_has_no_answer(tokenizer):
    cut = windows(tokenizer, "", 20, "what film")
    answer = find_answer("", cut, [np.zeros((len(cut[0].encoding.ids), 2), np.float32)])
    assert (answer.text, answer.start, answer.end, answer.score) == ("", 0, 0, 0.0)
