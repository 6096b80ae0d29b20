"""A teacher whose learning rate and best epoch are chosen on rows held out."""

import json
from dataclasses import replace

import pytest
from transformers import AutoModelForSequenceClassification

from kaprune_edge import workflow
from kaprune_edge.checkpoints import load_tokenizer
from kaprune_edge.evaluation import score_model
from kaprune_edge.fine_tuning import from_probe
from kaprune_edge.fine_tuning.from_probe import ProbedFineTuning
from kaprune_edge.progress import Silent
from kaprune_edge.recipe import FineTuning, PruneRecipe
from kaprune_edge.tasks import load_task
from kaprune_edge.tasks.held_out import hold_out
from kaprune_edge.workflow import prune
from kaprune_edge_cli.prune import prune as command

TRAINING = FineTuning(batch_size=8, max_length=24)


class Watch:
    """Notes the stages, and stops in one where that is asked for."""

    def __init__(self, stop_in=None, after=0):
        self.stages, self._stop_in, self._after = [], stop_in, after

    def start(self, stage, total):
        self.stages.append(stage)

    def advance(self, done, **figures):
        if self.stages[-1] == self._stop_in and done > self._after:
            raise KeyboardInterrupt


def make_fast(patch):
    """Rates that tiny models need, and few steps."""
    patch.setattr(from_probe, "RATES", (1e-3, 3e-3))
    patch.setattr(from_probe, "_TRIAL_STEPS", (4, 8))
    patch.setattr(from_probe, "_FEWEST_STEPS", 20)


@pytest.fixture
def fast(monkeypatch):
    make_fast(monkeypatch)


def fine_tuning(source, task, folder, progress=None):
    split = hold_out(task, seed=0)
    tokenizer = load_tokenizer(source)
    return ProbedFineTuning(source, split, tokenizer, TRAINING, 0, folder, progress or Silent())


@pytest.mark.parametrize("model_type", ["bert", "distilbert", "electra"])
def test_it_learns_and_never_reads_the_evaluation_rows(checkpoint, make_task, tmp_path, fast, model_type):
    task = load_task(make_task([row % 2 for row in range(60)]))
    model, figures = fine_tuning(checkpoint(model_type), replace(task, evaluation=None), tmp_path).run()
    assert figures["teacher"] == max(figures["epochs"]) >= 0.9
    assert figures["held_out_rows"] == 12
    assert set(figures["learning_rates"]) == {"0.001", "0.003"}
    assert figures["note"] is None
    tokenizer = load_tokenizer(checkpoint(model_type))
    assert score_model(model, tokenizer, task)["accuracy"] >= 0.9


def test_the_best_epoch_is_the_one_that_is_returned(checkpoint, sixty_rows, whole, tmp_path):
    model, figures = whole
    assert figures["epochs"][figures["best_epoch"]] == figures["teacher"] == max(figures["epochs"])
    assert fine_tuning(checkpoint(), sixty_rows, tmp_path).judge(model, Silent()).score == figures["teacher"]


def test_a_teacher_that_diverges_is_its_probe(checkpoint, make_task, tmp_path, fast, monkeypatch):
    monkeypatch.setattr(from_probe, "RATES", (1e6,))
    task = load_task(make_task([row % 2 for row in range(60)]))
    _, figures = fine_tuning(checkpoint(), task, tmp_path).run()
    assert figures["best_epoch"] == 0 and figures["teacher"] == figures["epochs"][0] > 0.6


def test_one_positive_in_a_hundred(checkpoint, make_task, tmp_path, fast):
    task = load_task(make_task([int(row % 100 == 0) for row in range(1000)]))
    task = replace(task, metrics=("f1", "accuracy"))
    _, figures = fine_tuning(checkpoint(), task, tmp_path).run()
    assert figures["metric"] == "f1" and figures["teacher"] == 1


def test_values(checkpoint, make_task, tmp_path, fast):
    spec = make_task([row % 7 + 0.5 for row in range(80)])
    _, figures = fine_tuning(checkpoint(), load_task(spec), tmp_path).run()
    assert figures["metric"] == "pearson" and figures["teacher"] > 0.9


def test_forty_rows_of_thirty_classes(checkpoint, make_task, tmp_path, fast):
    spec = make_task([f"class {row % 30}" for row in range(40)], lambda label, row: f"{label} film")
    _, figures = fine_tuning(checkpoint(), load_task(spec), tmp_path).run()
    assert figures["held_out_rows"] == 8


@pytest.fixture(scope="module")
def sixty_rows(make_task):
    return load_task(make_task([row % 2 for row in range(60)]))


@pytest.fixture(scope="module")
def whole(checkpoint, sixty_rows, tmp_path_factory):
    """A teacher that nothing interrupted, and its figures."""
    with pytest.MonkeyPatch.context() as patch:
        make_fast(patch)
        return fine_tuning(checkpoint(), sixty_rows, tmp_path_factory.mktemp("whole")).run()


@pytest.mark.parametrize(
    ("stage", "after"),
    [
        ("linear probe", 1),
        ("try learning rate 0.003", 2),
        ("fine-tune teacher", 3),
        ("fine-tune teacher", 15),
    ],
)
def test_it_goes_on_after_an_interruption(checkpoint, sixty_rows, whole, tmp_path, fast, stage, after):
    with pytest.raises(KeyboardInterrupt):
        fine_tuning(checkpoint(), sixty_rows, tmp_path, Watch(stage, after)).run()
    watch = Watch()
    model, figures = fine_tuning(checkpoint(), sixty_rows, tmp_path, watch).run()
    expected, expected_figures = whole
    assert figures == expected_figures
    assert ("linear probe" in watch.stages) == (stage == "linear probe")
    assert ("try learning rate 0.001" in watch.stages) == (stage == "linear probe")
    for name, weight in expected.named_parameters():
        assert weight.equal(model.get_parameter(name)), name


def test_prune_chooses_unless_epochs_are_given(checkpoint, make_task, tmp_path, fast):
    spec = make_task([row % 2 for row in range(60)])
    fields = {"model": checkpoint(), "task": spec, "one_shot": True, "sparsity": 0.5}
    short = {"max_length": 24, "batch_size": 8}
    chosen = prune(PruneRecipe(**fields, teacher_training=short, training=short), tmp_path / "chosen")
    figures = chosen.metrics["fine_tuning"]
    assert figures == json.loads((chosen.folder / "teacher" / "fine_tuning.json").read_text())
    assert {path.name for path in chosen.folder.iterdir()} >= {"teacher", "metrics.json"}
    assert not (chosen.folder / "checkpoints").exists()
    AutoModelForSequenceClassification.from_pretrained(chosen.folder / "teacher")
    given = prune(
        PruneRecipe(**fields, teacher_training={**short, "epochs": 1}, training=short), tmp_path / "given"
    )
    assert "fine_tuning" not in given.metrics


def test_what_is_worse_than_counting_words_is_called_out():
    figures = {"metric": "accuracy", "held_out_rows": 500, "linear_probe": 0.929, "bag_of_words": 0.8}
    assert from_probe._note({**figures, "teacher": 0.93}) is None
    note = from_probe._note({**figures, "teacher": 0.65})
    assert "accuracy 65.0 on 500 rows held out, a linear probe of the encoder 92.9" in note
    assert "\n" not in note
    assert "a bag of words 95.0" in from_probe._note({**figures, "teacher": 0.94, "bag_of_words": 0.95})


def test_the_command_prints_the_note(tmp_path, monkeypatch, capsys):
    scores = {"metrics": {"accuracy": 0.6}, "teacher_metrics": {"accuracy": 0.65}}
    weights = {"encoder_weights": 1, "teacher_encoder_weights": 2, "encoder_size": 2}
    metrics = {**scores, **weights, "fine_tuning": {"note": "the teacher learnt too little"}}
    monkeypatch.setattr(workflow, "prune", lambda *_, **__: workflow.Run(tmp_path, metrics))
    command(model="model", output=tmp_path, task="demo/movie-reviews")
    assert "  note: the teacher learnt too little\n" in capsys.readouterr().out
