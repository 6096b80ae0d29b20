"""The whole search on tiny models, whose trainings are cut to a second."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from kaprune_edge.compress import CompressRecipe, compress
from kaprune_edge.compress.judge import Drop
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.progress import Silent
from kaprune_edge.recipe import make_recipe
from kaprune_runtime import Classifier, InputError

verb, attempt, ladder, texts, teacher_labels = (
    importlib.import_module(f"kaprune_edge.compress.{name}")
    for name in ("compress", "attempt", "ladder", "texts", "teacher_labels")
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
    monkeypatch.setattr(attempt, "FEWEST_SECONDS", 0.2)
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

    tokenizer = AutoTokenizer.from_pretrained(classifier)
    text = "a warm and funny film"
    with torch.inference_mode():
        wanted = student(**tokenizer(text, return_tensors="pt")).logits.numpy()
    assert np.abs(Classifier(tmp_path / "small").logits([text]) - wanted).max() < 0.2  # int8

    kept = AutoModelForSequenceClassification.from_pretrained(tmp_path / "small-work/teacher")
    own = AutoModelForSequenceClassification.from_pretrained(classifier)
    for name, weight in own.state_dict().items():
        assert torch.equal(weight, kept.state_dict()[name]), name


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


WORDS = ("warm", "funny", "dull", "flat", "film", "plot", "the", "a")
TEXTS = [f"{one} {two} {three}" for one in WORDS for two in WORDS for three in WORDS[:3]]


@pytest.fixture(scope="module")
def decided(checkpoint):
    """A classifier that gives each of its classes to half of the texts."""
    folder = checkpoint("bert", label_names=["calm", "angry"])
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.weight *= 20
        logits = answers_of(model, folder, TEXTS)
        model.classifier.bias[0] -= float(np.median(logits[:, 0] - logits[:, 1]))
    model.save_pretrained(folder)
    return folder


def answers_of(model, folder, texts):
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model.eval()(**tokens).logits.numpy()


def held_out(recipe):
    return list(verb._searched(teacher_labels.load_unlabelled(recipe), recipe.seed).evaluation["text"])


def test_without_labels_the_drop_is_the_share_of_other_answers(recipe, decided, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join([*TEXTS, "", *TEXTS[:20]]))
    own = recipe(model=decided, task=f"texts:{tmp_path}/texts.txt")
    result = compress(own, tmp_path / "small", time_limit=600)
    assert (result.headline, result.teacher, result.held_out_rows) == ("agreement", 1.0, 38)
    judged = held_out(own)
    wanted = answers_of(AutoModelForSequenceClassification.from_pretrained(decided), decided, judged)
    assert 0.2 < wanted.argmax(axis=1).mean() < 0.8
    told = Classifier(tmp_path / "small").logits(judged, max_length=24)
    differing = (told.argmax(axis=1) != wanted.argmax(axis=1)).mean()
    assert result.drop.points == pytest.approx(100 * differing)
    assert {each.label for each in Classifier(tmp_path / "small")(TEXTS)} <= {"calm", "angry"}


def test_without_labels_it_goes_on_after_an_interrupt(recipe, decided, tmp_path):
    (tmp_path / "pairs.csv").write_text("Old,New\n" + "".join(f"{text},\n" for text in TEXTS[:60]))
    own = recipe(
        model=decided, task=f"texts:{tmp_path}/pairs.csv", columns={"text": ["old", "new"]}, train_rows=50
    )
    with pytest.raises(KeyboardInterrupt):
        compress(own, tmp_path / "small", time_limit=600, progress=Stopping("judge teacher"))
    result = compress(own, tmp_path / "small", time_limit=600, resume=True)
    assert result.held_out_rows == 10
    assert recipe_of(tmp_path / "small-work").columns.text == ("old", "new")


def recipe_of(work):
    return make_recipe(CompressRecipe, work / "recipe.yaml", {})


@pytest.mark.parametrize(
    ("model", "name", "content", "says"),
    [
        (
            {},
            "t.txt",
            "a\n" * 90,
            r"t.txt \(1 different texts of 90\) has 1 training rows; compress needs at",
        ),
        ({}, "t.txt", " \n", "t.txt is empty; give a file with rows"),
        ({}, "t.csv", "text\n", "t.csv has no rows; give a file with rows"),
        ({}, "t.csv", "body\na\n", "t.csv has no text column, only 'body'; name it by --text-column"),
        (
            {},
            "t.docx",
            "a",
            "t.docx holds cannot be told by its name; end it in one of .txt, .csv, .tsv, .json",
        ),
        ({}, "t.parquet", "a", "t.parquet is no Parquet file, or is cut short; copy it again"),
        ({}, "gone/t.txt", None, "there is no file .*t.txt; check the path"),
        ({"label_names": ["value"]}, "t.txt", "a", "predicts values, and without labels compress can count"),
        ({"num_labels": 1}, "t.txt", "a", "predicts values, and without labels"),
        (
            {"label_names": ["a", "b"], "problem_type": "multi_label_classification"},
            "t.txt",
            "a",
            r"gives a text any number of labels \(multi_label_classification\)",
        ),
    ],
)
def test_without_labels_some_things_cannot_be(
    recipe, decided, checkpoint, tmp_path, model, name, content, says
):
    if content is not None:
        (tmp_path / name).write_text(content)
    own = recipe(model=checkpoint("bert", **model) if model else decided, task=f"texts:{tmp_path}/{name}")
    with pytest.raises(InputError, match=says):
        compress(own, tmp_path / "small")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("small")]


def test_an_encoder_has_no_answers(recipe, checkpoint, tmp_path):
    (tmp_path / "t.txt").write_text("a\n")
    model = AutoModel.from_pretrained(folder := checkpoint("bert"))
    model.save_pretrained(folder)
    with pytest.raises(
        InputError, match=r"t.txt has no labels to fine-tune .* on; name a fine-tuned model, or"
    ):
        compress(recipe(model=folder, task=f"texts:{tmp_path}/t.txt"), tmp_path / "small")


@pytest.mark.parametrize(
    ("name", "columns", "says"),
    [
        ("t.txt", {"text": ["text"]}, "has a text a line and no columns; leave out --text-column"),
        ("t.txt", {"label": "stars"}, "t.txt has no labels; leave out --label-column"),
        ("t.csv", {"text": ["review"]}, "t.csv has no column 'review', only 'body'"),
        ("t.csv", {"text": ["body"]}, "t.csv has no rows; give a file with texts"),
    ],
)
def test_texts_lack_some_columns(recipe, decided, tmp_path, name, columns, says):
    (tmp_path / name).write_text("body\n")
    own = recipe(model=decided, task=f"texts:{tmp_path}/{name}", columns=columns)
    with pytest.raises(InputError, match=says):
        compress(own, tmp_path / "small")
