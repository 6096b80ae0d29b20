"""The whole search on a tiny fine-tuned model."""

import importlib
import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from kaprune_edge.compress import attempt, compress
from kaprune_edge.compress.judge import Drop
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.progress import Silent
from kaprune_runtime import Classifier, InputError

verb = importlib.import_module("kaprune_edge.compress.compress")
pytestmark = pytest.mark.usefixtures("short")
TEXTS = ["a warm and funny film", "a dull and lifeless story", "the camera moves slowly"]


class Stopping(Silent):
    """Interrupts at the start of the first of the stages, then of the next one, and so on."""

    def __init__(self, *stages):
        self.left = [*stages]

    def start(self, stage, total):
        if self.left and stage.startswith(self.left[0]):
            del self.left[0]
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def classifier(checkpoint):
    return checkpoint("bert", label_names=["0", "1"])


@pytest.fixture(scope="module")
def recipe(classifier, task_spec, make_recipe):
    return make_recipe(classifier, task_spec)


@pytest.fixture(scope="module")
def finished(short, recipe, tmp_path_factory):
    """A finished search, in a folder that nothing may change."""
    folder = tmp_path_factory.mktemp("finished")
    return compress(recipe, folder / "small", time_limit=600)


@pytest.fixture
def copied(finished, tmp_path):
    """The folder of a finished search, to be changed."""
    shutil.copytree(finished.folder.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_delivers_a_sparse_deployment_and_keeps_every_step(finished, classifier):
    assert [outcome.attempt.sparsity for outcome in finished.outcomes] == [0.6]
    assert finished.delivered == finished.outcomes[-1] and not finished.interrupted
    assert finished.held_out_rows == 9

    student, teacher, own = (
        AutoModelForSequenceClassification.from_pretrained(folder)
        for folder in (finished.student, finished.work / "teacher", classifier)
    )
    assert finished.student == finished.work / "steps/01-60/student"
    weights = torch.cat([weight.detach().flatten() for weight in encoder_matrices(student).values()])
    assert float((weights == 0).float().mean()) == pytest.approx(0.6, abs=0.02)

    answers = Classifier(finished.folder).logits(TEXTS)
    assert distance(answers, student, classifier) < distance(answers, teacher, classifier) / 3

    for name, weight in own.state_dict().items():
        assert torch.equal(weight, teacher.state_dict()[name]), name


def distance(answers, model, tokenizer):
    rows = AutoTokenizer.from_pretrained(tokenizer)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return np.abs(answers - model.eval()(**rows).logits.numpy()).mean()


def test_dense_int8_is_delivered_where_nothing_else_keeps_the_promise(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(attempt.Judge, "drop", lambda *_: Drop(50.0, 40.0, 60.0))
    monkeypatch.setattr(attempt.Judge, "points", lambda *_: 50.0)
    promise = recipe.model_copy(update={"max_drop": 0})
    result = compress(promise, tmp_path / "small", time_limit=600)
    assert result.delivered == result.dense and not result.delivered.kept
    assert len(Classifier(tmp_path / "small")(["a warm film"])) == 1
    assert result.outcomes and not any(outcome.kept for outcome in result.outcomes)
    assert result.outcomes[0].steps == 1


def test_goes_on_after_an_interrupt_in_every_stage(recipe, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(attempt.Workshop, "_is_good", lambda *_: False)
    stages = ("answers of the teacher", "export", "judge", "prune to", "prune and train", "export", "judge")
    watch, output, delivered = Stopping(*stages), tmp_path / "small", []
    while watch.left:
        try:
            result = compress(recipe, output, time_limit=600, resume=bool(delivered), progress=watch)
            assert result.interrupted and output.exists()
            delivered.append(result.delivered.attempt.number)
        except KeyboardInterrupt:
            assert not output.exists()
            delivered.append(None)
    assert delivered == [None] * 3 + [0] * 4
    result = compress(recipe, output, time_limit=600, resume=True)
    assert [outcome.attempt for outcome in result.outcomes] == [result.delivered.attempt]
    assert result.delivered.steps == 1
    assert json.loads((output / "kaprune.json").read_text())["files"]


def test_what_stands_at_the_output_is_not_replaced(recipe, copied):
    with pytest.raises(InputError, match="exists"):
        compress(recipe, copied / "small", work=copied / "other", time_limit=600)
    (copied / "small" / "kaprune.json").write_text("{}")
    with pytest.raises(InputError, match="was not made by this compression"):
        compress(recipe, copied / "small", resume=True)


def test_other_options_are_not_resumed(recipe, copied):
    with pytest.raises(InputError, match="begun with other options"):
        compress(recipe.model_copy(update={"max_drop": 3}), copied / "small", resume=True)
    with pytest.raises(InputError, match="exists; continue with --resume"):
        compress(recipe, copied / "fresh", work=copied / "small-work")


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"pattern": "2:4"}, "fixes the sparsity"), ({"max_drop": -1}, "greater than or equal to 0")],
)
def test_impossible_promises(fields, message, make_recipe):
    with pytest.raises(ValueError, match=message):
        make_recipe("model", "task", **fields)


def test_a_time_limit_of_nothing(recipe, tmp_path):
    with pytest.raises(InputError, match="time limit of 0 seconds"):
        compress(recipe, tmp_path / "small", time_limit=0)


def test_a_model_of_other_labels_leaves_nothing_behind(checkpoint, task_spec, make_recipe, tmp_path):
    other = make_recipe(checkpoint("bert", label_names=["x", "y", "z"]), task_spec)
    with pytest.raises(InputError, match="predicts 3 labels"):
        compress(other, tmp_path / "small", time_limit=60)
    assert not list(tmp_path.iterdir())


def test_other_rows_are_not_resumed(recipe, copied, monkeypatch):
    load_task = verb.load_task
    fewer = lambda *spec, **options: load_task(*spec, **{**options, "train_rows": 44})  # noqa: E731
    monkeypatch.setattr(verb, "load_task", fewer)
    with pytest.raises(InputError, match=r"changed since .* was begun"):
        compress(recipe, copied / "small", resume=True)


def test_an_unknown_target_is_told_before_any_work(recipe, tmp_path):
    with pytest.raises(InputError, match="unknown target 'riscv'"):
        compress(recipe.model_copy(update={"target": "riscv"}), tmp_path / "small")
    assert not list(tmp_path.iterdir())
