"""The whole search on tiny models, whose trainings are cut to a second."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from kaprune_edge.compress import CompressRecipe, compress
from kaprune_edge.compress.judge import Drop
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.progress import Silent
from kaprune_runtime import Classifier, InputError

verb, attempt, ladder, texts, teacher = (
    importlib.import_module(f"kaprune_edge.compress.{name}")
    for name in ("compress", "attempt", "ladder", "texts", "teacher")
)


class Unread:
    """Evaluation rows that nobody may read."""

    def __getattr__(self, name):
        raise AssertionError(f"the evaluation rows were asked for {name}")


class Stopping(Silent):
    """Interrupts at the start of a stage, once."""

    def __init__(self, stage):
        self.stage = stage

    def start(self, stage, total):
        if self.stage is not None and stage.startswith(self.stage):
            self.stage = None
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Trainings of half a second, a search of few steps, no copies, and evaluation rows that raise."""
    load_task = verb.load_task
    monkeypatch.setattr(ladder, "FEWEST_SECONDS", 0.2)
    monkeypatch.setattr(ladder, "LAST", 0.8)
    monkeypatch.setattr(ladder, "MOST_TRIES", 1)
    monkeypatch.setattr(attempt.Workshop, "_steps_within", lambda self, seconds, student: 4)
    monkeypatch.setattr(texts, "ENOUGH_TEXTS", 0)
    monkeypatch.setattr(
        verb, "load_task", lambda *spec, **options: replace(load_task(*spec, **options), evaluation=Unread())
    )


@pytest.fixture(scope="module")
def classifier(checkpoint):
    return checkpoint("bert", label_names=["0", "1"])


@pytest.fixture
def recipe(classifier, task_spec):
    def make(**fields):
        return CompressRecipe(
            **{"model": classifier, "task": task_spec, "max_drop": 100, "max_length": 24, **fields}
        )

    return make


def test_delivers_a_sparse_deployment_and_keeps_every_step(recipe, classifier, tmp_path):
    result = compress(recipe(), tmp_path / "small", time_limit=600)
    assert [outcome.attempt.sparsity for outcome in result.outcomes] == [0.6, 0.8]
    assert result.delivered == result.outcomes[-1] and not result.interrupted
    assert result.held_out_rows == 9

    student = AutoModelForSequenceClassification.from_pretrained(tmp_path / "small-work/steps/02-80/student")
    weights = torch.cat([weight.detach().flatten() for weight in encoder_matrices(student).values()])
    assert float((weights == 0).float().mean()) == pytest.approx(0.8, abs=0.02)

    texts = ["a warm and funny film", "a dull and lifeless story", "the camera moves slowly"]
    teacher = AutoModelForSequenceClassification.from_pretrained(tmp_path / "small-work/teacher")
    answers = Classifier(tmp_path / "small").logits(texts)
    assert distance(answers, student, texts, classifier) < distance(answers, teacher, texts, classifier) / 3

    own = AutoModelForSequenceClassification.from_pretrained(classifier)
    for name, weight in own.state_dict().items():
        assert torch.equal(weight, teacher.state_dict()[name]), name


def distance(answers, model, texts, tokenizer):
    rows = AutoTokenizer.from_pretrained(tokenizer)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return np.abs(answers - model.eval()(**rows).logits.numpy()).mean()


def test_dense_int8_is_delivered_where_nothing_else_keeps_the_promise(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(attempt.Judge, "drop", lambda *_: Drop(50.0, 40.0, 60.0))
    result = compress(recipe(max_drop=0), tmp_path / "small", time_limit=600)
    assert result.delivered == result.dense and not result.delivered.kept
    assert len(Classifier(tmp_path / "small")(["a warm film"])) == 1
    assert result.outcomes and not any(outcome.kept for outcome in result.outcomes)


@pytest.mark.parametrize("stage", ["judge", "export", "prune to", "prune and train"])
def test_goes_on_after_an_interrupt(stage, recipe, tmp_path):
    watch, output = Stopping(stage), tmp_path / "small"
    try:
        first = compress(recipe(), output, time_limit=600, progress=watch)
        assert first.interrupted and output.exists()
    except KeyboardInterrupt:
        assert not output.exists()
    assert watch.stage is None
    result = compress(recipe(), output, time_limit=600, resume=True)
    assert [outcome.attempt.sparsity for outcome in result.outcomes] == [0.6, 0.8]
    assert json.loads((output / "kaprune.json").read_text())["files"]


def test_what_stands_at_the_output_is_not_replaced(recipe, tmp_path):
    compress(recipe(), tmp_path / "small", time_limit=600)
    with pytest.raises(InputError, match="exists"):
        compress(recipe(), tmp_path / "small", work=tmp_path / "other", time_limit=600)
    (tmp_path / "small" / "kaprune.json").write_text("{}")
    with pytest.raises(InputError, match="was not made by this compression"):
        compress(recipe(), tmp_path / "small", resume=True)


def test_other_options_are_not_resumed(recipe, tmp_path):
    compress(recipe(), tmp_path / "small", time_limit=600)
    with pytest.raises(InputError, match="begun with other options"):
        compress(recipe(max_drop=3), tmp_path / "small", resume=True)
    with pytest.raises(InputError, match="exists; continue with --resume"):
        compress(recipe(), tmp_path / "fresh", work=tmp_path / "small-work")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pattern": "2:4"}, "fixes the sparsity"),
        ({"max_drop": -1}, "greater than or equal to 0"),
    ],
)
def test_impossible_promises(fields, message, recipe):
    with pytest.raises(ValueError, match=message):
        recipe(**fields)


def test_a_time_limit_of_nothing(recipe, tmp_path):
    with pytest.raises(InputError, match="time limit of 0 seconds"):
        compress(recipe(), tmp_path / "small", time_limit=0)
