import json

import numpy as np
import pytest
import torch
from transformers import pipeline

from kaprune_runtime import Classifier, InputError

TEXTS = [
    "what a lovely evening at the cinema !",
    "",
    "dull",
    "the film is a warm and funny story of two brothers , worth the price of the ticket " * 9,
    "unseen zebra 東京",
    "flat acting and no end in sight",
]


@pytest.mark.parametrize("max_length", [None, 11])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("model_type", ["bert", "electra", "roberta", "mpnet", "distilbert"])
def test_logits_equal_transformers(tiny, model_type, paired, max_length):
    made = tiny(model_type, num_labels=3)
    positions = 40 if model_type in ("roberta", "mpnet") else 42
    pairs = TEXTS[::-1] if paired else None
    encoded = made.tokenizer(
        TEXTS, pairs, truncation=True, max_length=max_length or positions, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        expected = made.model(**encoded).logits.numpy()
    logits = Classifier(made.folder).logits(TEXTS, pairs, max_length=max_length, batch_size=4)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=2e-5)
    assert np.ptp(expected, axis=0).min() > 0.1


@pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification"])
def test_predictions_equal_the_transformers_pipeline(tiny, problem_type):
    made = tiny("bert", label_names=("bad", "fair", "good"), problem_type=problem_type)
    reference = pipeline("text-classification", model=made.model, tokenizer=made.tokenizer, top_k=None)
    for prediction, scores in zip(Classifier(made.folder)(TEXTS[:3]), reference(TEXTS[:3]), strict=True):
        assert prediction.label == scores[0]["label"]
        assert prediction.score == pytest.approx(scores[0]["score"], abs=1e-5)
        assert prediction.scores == pytest.approx({s["label"]: s["score"] for s in scores}, abs=1e-5)


def test_a_regression_predicts_the_value(tiny):
    made = tiny("bert", label_names=("similarity",), problem_type="regression")
    classifier = Classifier(made.folder)
    value = float(classifier.logits(TEXTS[:1], TEXTS[3:4])[0, 0])
    prediction = classifier(TEXTS[:1], TEXTS[3:4])[0]
    assert (prediction.label, prediction.score) == ("similarity", value)
    assert prediction.scores == {"similarity": value}


def test_the_cut_side_and_length_of_the_tokenizer_are_kept(copy, tiny):
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(
        json.dumps({**settings, "truncation_side": "left", "model_max_length": 9})
    )
    (copy / "kaprune.json").unlink()
    made = tiny()
    made.tokenizer.truncation_side = "left"
    encoded = made.tokenizer(TEXTS[3], truncation=True, max_length=9, return_tensors="pt")
    made.tokenizer.truncation_side = "right"
    with torch.no_grad():
        expected = made.model(**encoded).logits.numpy()
    np.testing.assert_allclose(Classifier(copy).logits(TEXTS[3:4]), expected, atol=2e-5)


def test_progress_ends_with_all_texts(tiny):
    told = []
    Classifier(tiny().folder).logits(TEXTS, batch_size=4, on_done=told.append)
    assert told == [4, 6]


def test_no_texts_give_no_logits(tiny):
    assert Classifier(tiny().folder).logits([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": "one text"}, "give a list of texts"),
        ({"texts": ["a", None]}, "every text must be a string"),
        ({"texts": ["a", "b"], "pairs": ["c"]}, "2 texts have 1 second texts"),
        ({"texts": ["a"], "max_length": 43}, "takes 3 to 42 tokens, not 43"),
        ({"texts": ["a"], "max_length": 2}, "takes 3 to 42 tokens, not 2"),
        ({"texts": ["a"], "pairs": ["b"], "max_length": 3}, "takes 4 to 42 tokens, not 3"),
        ({"texts": ["a"], "batch_size": 0}, "batch of 0 texts"),
    ],
)
def test_unusable_arguments_are_refused(tiny, arguments, message):
    with pytest.raises(InputError, match=message):
        Classifier(tiny().folder).logits(**arguments)
