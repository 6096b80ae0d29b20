"""A probe in a checkpoint's own head predicts what scikit-learn's does."""

import numpy as np
import pytest
import tiny
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from transformers import AutoModelForSequenceClassification

from kaprune_edge.fine_tuning.features import FIRST, MEAN, pooling, read_features
from kaprune_edge.fine_tuning.head import aim_head, head_features, set_probe
from kaprune_edge.fine_tuning.probe import Probe, fit_probe
from kaprune_edge.progress import Silent
from kaprune_edge.tasks.task import Task, rows
from kaprune_edge.tasks.tokenization import tokenize

TEXTS = [" ".join([*line.split()[:length], "film"]) for line in tiny.CORPUS for length in range(1, 9)]


def made(labels, names):
    table = rows({"text": TEXTS}, labels)
    return Task("made", ("text",), names, table, table, ("accuracy",) if names else ("pearson",))


@pytest.fixture(params=tiny.CONFIGS)
def parts(request):
    """A tiny model of each architecture, its tokenizer, and tokenized texts."""

    def make(task):
        tokenizer = tiny.make_tokenizer(request.param)
        names = task.label_names or None
        settings = {"label_names": names} if names else {"num_labels": 1}
        model = tiny.make_model(request.param, vocab_size=len(tokenizer), **settings)
        return model, tokenizer, tokenize(task.train, task, tokenizer, 24)

    return make


def encode(tokenizer, text):
    return tokenizer(text, return_tensors="pt", truncation=True, max_length=24)


def outputs(model, tokenizer):
    model.eval()
    with torch.inference_mode():
        return np.concatenate([model(**encode(tokenizer, text)).logits.numpy() for text in TEXTS])


@pytest.mark.parametrize("classes", [2, 4])
def test_the_model_gives_the_probabilities_of_scikit_learn(parts, classes, tmp_path):
    task = made([row % classes for row in range(len(TEXTS))], tuple("abcd"[:classes]))
    model, tokenizer, table = parts(task)
    first = read_features(model, table, tokenizer, Silent())[FIRST]
    aim_head(model, first, first)
    seen = head_features(model, first)
    reference = LogisticRegression(C=1.0).fit(seen, task.train["label"])
    weight, bias = reference.coef_, reference.intercept_
    if classes == 2:
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    set_probe(model, Probe(weight, bias, 0))
    model.save_pretrained(tmp_path)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert softmax(outputs(plain, tokenizer), axis=1) == pytest.approx(
        reference.predict_proba(seen), abs=1e-4
    )


def test_a_fitted_probe_is_the_models_logits(parts):
    task = made([row % 3 for row in range(len(TEXTS))], ("a", "b", "c"))
    model, tokenizer, table = parts(task)
    features = read_features(model, table, tokenizer, Silent())
    aim_head(model, features[FIRST], features[MEAN])
    seen, labels = head_features(model, features[FIRST]), np.asarray(task.train["label"])
    probe = fit_probe([seen, seen], [labels, labels], task, Silent())
    set_probe(model, probe)
    logits = outputs(model, tokenizer)
    assert logits == pytest.approx(probe.logits(seen), abs=1e-3)
    assert probe.score == pytest.approx((logits.argmax(1) == labels).mean())
    assert probe.score > 0.6


def test_values_are_predicted(parts):
    values = [len(text) / 10 for text in TEXTS]
    task = made(values, ())
    model, tokenizer, table = parts(task)
    features = read_features(model, table, tokenizer, Silent())
    aim_head(model, features[FIRST], features[MEAN])
    seen = head_features(model, features[FIRST])
    probe = fit_probe([seen, seen], [np.asarray(values)] * 2, task, Silent())
    set_probe(model, probe)
    predictions = outputs(model, tokenizer)[:, 0]
    assert np.corrcoef(predictions, values)[0, 1] == pytest.approx(probe.score, abs=1e-4)
    assert probe.score > 0.9
    assert predictions.mean() == pytest.approx(np.mean(values), abs=0.05)


def test_features_are_those_of_each_text_alone(parts):
    task = made([row % 2 for row in range(len(TEXTS))], ("no", "yes"))
    model, tokenizer, table = parts(task)
    features = read_features(model, table, tokenizer, Silent())
    with torch.inference_mode():
        for row in (0, 5, len(TEXTS) - 1):
            hidden = model.base_model(**encode(tokenizer, TEXTS[row])).last_hidden_state[0]
            assert features[FIRST][row] == pytest.approx(hidden[0].numpy(), abs=1e-5)
            assert features[MEAN][row] == pytest.approx(hidden.mean(0).numpy(), abs=1e-5)


def test_a_class_without_rows_is_never_predicted():
    labels = np.asarray([0, 2] * 20)
    task = made([0] * len(TEXTS), ("a", "b", "c"))
    features = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    features[:, 0] += labels
    probe = fit_probe([features, features], [labels, labels], task, Silent())
    assert probe.weight.shape == (3, 5)
    assert 1 not in probe.logits(features).argmax(1)
    assert probe.score > 0.6


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}', FIRST),
        ('{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}', MEAN),
        ('{"pooling_mode_max_tokens": true}', None),
        ("[]", None),
        ("{", None),
    ],
)
def test_a_sentence_encoder_says_how_it_pools(tmp_path, content, kind):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(content)
    assert pooling(str(tmp_path)) == kind


def test_another_encoder_does_not_say(tmp_path):
    assert pooling(str(tmp_path)) is None
