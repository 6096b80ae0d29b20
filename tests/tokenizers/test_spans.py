"""Spans of tokens, and what is learnt and judged by them, for every family of tokenizers."""

import re
from bisect import bisect_left
from itertools import product

import families
import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering, AutoModelForTokenClassification

from kaprune_edge.evaluation import score_model
from kaprune_edge.tasks.answering import AnsweringTask
from kaprune_edge.tasks.tagging import TaggingTask
from kaprune_runtime.tagging import TaggedText, find_entities
from kaprune_runtime.windows import own_spans, windows

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


@pytest.fixture(scope="module", params=families.FAMILIES)
def tokenizer(request):
    return families.make_tokenizer(request.param)


def characters(spans):
    return {place for start, end in spans for place in range(start, end)}


def encoder(tokenizer, head, **settings):
    return tiny.make_model("bert", head=head, vocab_size=len(tokenizer), **settings)


def torch_outputs(model, tokenizer, *texts):
    """What PyTorch says of the last text's tokens, by transformers alone."""
    inputs = tokenizer(*texts, return_tensors="pt")
    own = [at for at, sequence in enumerate(inputs.sequence_ids()) if sequence == len(texts) - 1]
    with torch.inference_mode():
        output = model(**inputs)
    logits = output.logits[0] if "logits" in output else torch.stack([*output.values()], -1)[0]
    return logits.numpy()[own]


def shown(tokenizer, text):
    """What each token of a text shows, without any post-processor; None for white space."""
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.post_processor = None
    return [(start, end) if text[start:end].strip() else None for start, end in plain.encode(text).offsets]


def token_words(tokenizer, words):
    """The number of the word that each token is of, counted by its last character; None for white space."""
    text = " ".join(words)
    ends = [len(" ".join(words[: number + 1])) for number in range(len(words))]
    return [
        None if span is None else bisect_left(ends, span[0] + len(text[slice(*span)].rstrip()))
        for span in shown(tokenizer, text)
    ]


@pytest.mark.parametrize("length", [16, 500])
@pytest.mark.parametrize("text", families.TEXTS)
def test_spans_are_the_texts_own_characters(tokenizer, text, length):
    spans = own_spans(windows(tokenizer.backend_tokenizer, text, length, "who"))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    assert characters(spans) >= {match.start() for match in re.finditer(r"\w", text)}
    firsts = {start for start, end in spans if start < end}
    assert firsts >= {match.start() for match in re.finditer(r"(?<!\S)\w", text)}


def test_labels_equal_a_hand_count(tokenizer):
    words = ["Ada", "Lovelace", "saw", "a", "house", "in", "London", ",", "I", "think", "\U0001f600", "x"]
    tags = [1, 2, 0, 0, 0, 0, 3, 0, 1, 0, 3, 0]
    split = Dataset.from_dict({"tokens": [words], "label": [tags]})
    task = TaggingTask("names", ("tokens",), TAGS, split, split, ("f1",))
    follows = {0: 0, 1: 2, 2: 2, 3: 4, 4: 4}
    expected, seen = [], {None}
    for word in token_words(tokenizer, words):
        expected.append(-100 if word is None else follows[tags[word]] if word in seen else tags[word])
        seen.add(word)
    assert len(seen) == len(words) + 1
    (row,) = task.encode(split, tokenizer, 500)
    assert row["labels"] == [-100, *expected, -100]


def test_labels_of_windows_are_those_of_the_whole(tokenizer):
    words = (families.TEXTS[0] + " " + families.TEXTS[0]).split()
    tags = [index % 5 for index in range(len(words))]
    split = Dataset.from_dict({"tokens": [words], "label": [tags]})
    task = TaggingTask("names", ("tokens",), TAGS, split, split, ("f1",))
    whole = task.encode(split, tokenizer, 500)[0]["labels"][1:-1]
    joined = {}
    step, overlap = 18 - int(18 * 0.25), int(18 * 0.25)
    assert overlap
    for index, row in enumerate(task.encode(split, tokenizer, 20)):
        joined |= {index * step + place: label for place, label in enumerate(row["labels"][1:-1])}
    assert [joined[place] for place in range(len(joined))] == whole


def test_a_tagger_agrees_with_its_own_answers(tokenizer):
    model = encoder(tokenizer, AutoModelForTokenClassification, label_names=TAGS, max_position_embeddings=512)
    rows = [text.split() for text in (*families.TEXTS, "a house", "I")]
    gold = []
    for words in rows:
        best = torch_outputs(model, tokenizer, " ".join(words)).argmax(axis=1)
        of = token_words(tokenizer, words)
        gold.append([int(best[of.index(number)]) for number in range(len(words))])
    split = Dataset.from_dict({"tokens": rows, "label": gold})
    task = TaggingTask("names", ("tokens",), TAGS, split, split, ("f1", "accuracy"))
    assert score_model(model, tokenizer, task, 512) == {"f1": 1.0, "accuracy": 1.0}


def test_a_reader_agrees_with_its_own_answers(tokenizer):
    model = encoder(tokenizer, AutoModelForQuestionAnswering, max_position_embeddings=512)
    rows = {"question": [], "context": [], "answers": [], "starts": []}
    for question, context in product(("who", "a house"), (*families.TEXTS, "a house", "I")):
        scores = torch_outputs(model, tokenizer, question, context)
        real = {at: span for at, span in enumerate(shown(tokenizer, context)) if span}
        first, last = max(
            ((first, last) for first in real for last in real if first <= last < first + 30),
            key=lambda pair: scores[pair[0], 0] + scores[pair[1], 1],
        )
        answer = context[real[first][0] : real[last][1]].strip()
        values = question, context, [answer], [context.find(answer)]
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
    split = Dataset.from_dict(rows)
    task = AnsweringTask("answers", ("question", "context"), (), split, split, ("f1", "exact_match"))
    assert score_model(model, tokenizer, task, 512) == {"f1": 1.0, "exact_match": 1.0}


def test_entities_are_whole_words(tokenizer):
    text = "  Ada Lovelace  moved to London"
    cut = windows(tokenizer.backend_tokenizer, text, 500)
    spans = own_spans(cut)
    people, places = range(2, 14), range(25, 31)
    logits = np.zeros((len(spans), 5), np.float32)
    for token, (start, _) in enumerate(spans):
        logits[token, 1 if start in people else 3 if start in places else 0] = 5
    for token, (start, _) in enumerate(spans):
        if start in range(6, 14):
            logits[token, 2] = 9
    words = [window.encoding.word_ids[at] for window in cut for at in window.own]
    found = find_entities(text, TaggedText(np.array(spans), words, logits), TAGS)
    assert [(one.label, one.text, one.start) for one in found] == [
        ("PER", "Ada Lovelace", 2),
        ("LOC", "London", 25),
    ]
