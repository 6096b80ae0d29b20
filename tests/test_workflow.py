import json
import signal
import subprocess
import sys
import time
from functools import cache

import pytest
import tiny
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from kaprune_edge.artifacts import interrupted
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.recipe import DistillRecipe, FineTuning, PruneRecipe, StudentTraining, Training, save_recipe
from kaprune_edge.workflow import distill, evaluate, export, prune
from kaprune_runtime.errors import InputError

TRAINING = Training(epochs=8, learning_rate=3e-3, batch_size=8, max_length=24, dropout=0.0)


def recipe(model, task_spec, *, teacher_training=TRAINING, **changes):
    fields = {
        "model": model,
        "task": task_spec,
        "sparsity": 0.75,
        "pattern": "4x1",
        "training": TRAINING,
        "teacher_training": FineTuning(**teacher_training.model_dump()),
    }
    return PruneRecipe(**{**fields, **changes})


@pytest.fixture(scope="module")
def pruned(checkpoint, task_spec, tmp_path_factory):
    """Prune (once each) a tiny encoder of an architecture."""

    @cache
    def run(model_type):
        output = tmp_path_factory.mktemp("pruned") / "run"
        return prune(recipe(checkpoint(model_type), task_spec), str(output))

    return run


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_every_architecture_is_pruned_to_its_target_and_learns(model_type, pruned):
    run = pruned(model_type)
    assert run.metrics["teacher_metrics"]["accuracy"] > 0.9
    assert run.metrics["metrics"]["accuracy"] > 0.9
    assert run.metrics["sparsity"] == pytest.approx(0.75)

    teacher = AutoModelForSequenceClassification.from_pretrained(run.folder / "teacher")
    after = AutoModelForSequenceClassification.from_pretrained(run.folder)
    for name, weight in encoder_matrices(after).items():
        assert (weight == 0).float().mean() == pytest.approx(0.75), name
        blocks = weight.reshape(weight.shape[0] // 4, 4, -1) != 0
        assert set(blocks.sum(1).flatten().tolist()) <= {0, 4}
    pruned = set(encoder_matrices(after))
    dense = [name for name, weight in after.named_parameters() if name not in pruned and weight.dim() == 2]
    assert dense
    assert all((after.get_parameter(name) != 0).float().mean() > 0.9 for name in dense)
    assert teacher.state_dict().keys() == after.state_dict().keys()


def test_a_run_folder_is_whole(pruned):
    run = pruned("bert")
    assert json.loads((run.folder / "metrics.json").read_text()) == run.metrics
    assert yaml.safe_load((run.folder / "recipe.yaml").read_text())["training"]["epochs"] == 8
    assert {path.name for path in run.folder.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        *("recipe.yaml", "metrics.json", "teacher"),
    }
    assert [path.name for path in run.folder.parent.iterdir()] == ["run"]


def test_pytorch_and_onnx_score_the_same(pruned, task_spec, tmp_path):
    run = pruned("bert")
    export(str(run.folder), str(tmp_path / "deployment"))
    torch_score = evaluate(str(run.folder), task_spec)
    onnx_score = evaluate(str(tmp_path / "deployment"), task_spec)
    assert (torch_score["engine"], onnx_score["engine"]) == ("pytorch", "onnxruntime")
    assert torch_score["metrics"] == onnx_score["metrics"] == run.metrics["metrics"]


@pytest.mark.parametrize("start", ["pretrained", "teacher"])
def test_the_student_starts_where_it_is_told(checkpoint, task_spec, tmp_path, start):
    source = checkpoint()
    short = TRAINING.model_copy(update={"epochs": 1.0})
    still = short.model_copy(update={"learning_rate": 1e-12})
    changes = {"training": still, "teacher_training": short, "student_start": start}
    run = prune(recipe(source, task_spec, **changes), tmp_path / "run")
    origin = source if start == "pretrained" else run.folder / "teacher"
    other = run.folder / "teacher" if start == "pretrained" else source
    started, elsewhere = map(AutoModelForSequenceClassification.from_pretrained, (origin, other))
    ended = AutoModelForSequenceClassification.from_pretrained(run.folder)
    weights, *others = (model.get_input_embeddings().weight for model in (ended, started, elsewhere))
    assert [torch.allclose(weights, other, atol=1e-6) for other in others] == [True, False]


def test_a_student_of_labels_does_not_learn_from_its_teacher(pruned, checkpoint, task_spec, tmp_path):
    teachers = [pruned("bert").folder / "teacher", pruned("bert").folder]
    fields = {"student_start": "pretrained", "learns_from": "labels", "criterion": "magnitude"}
    for teacher in teachers:
        prune(recipe(checkpoint(), task_spec, teacher=str(teacher), **fields), tmp_path / teacher.name)
    one, other = (load_file(tmp_path / teacher.name / "model.safetensors") for teacher in teachers)
    assert all(weight.equal(other[name]) for name, weight in one.items())


def test_bfloat16_learns_nearly_the_same(pruned, checkpoint, task_spec, tmp_path):
    teacher = pruned("bert").folder / "teacher"
    weights = []
    for precision in ("float32", "bfloat16"):
        training = TRAINING.model_copy(update={"epochs": 1.0, "precision": precision})
        run = prune(
            recipe(checkpoint(), task_spec, teacher=str(teacher), training=training), tmp_path / precision
        )
        weights.append(load_file(run.folder / "model.safetensors"))
    exact, rough = weights
    moved = [(weight - rough[name]).abs().max() for name, weight in exact.items()]
    assert 0 < max(moved) < 0.02


@pytest.mark.parametrize("criterion", ["reconstruction", "sparsegpt", "fisher", "magnitude"])
def test_one_shot_pruning_changes_the_encoder_of_the_teacher_alone(pruned, task_spec, tmp_path, criterion):
    teacher = pruned("bert").folder / "teacher"
    fields = {"teacher": str(teacher), "one_shot": True, "criterion": criterion}
    run = prune(recipe(str(teacher), task_spec, **fields), tmp_path / "run")
    assert (run.metrics["method"], run.metrics["criterion"]) == ("one-shot", criterion)
    assert (run.metrics["steps"], run.metrics["sparsity"]) == (0, 0.75)
    before, after = map(AutoModelForSequenceClassification.from_pretrained, (teacher, run.folder))
    matrices = encoder_matrices(after)
    biases = {name.replace("weight", "bias") for name in matrices} if criterion == "reconstruction" else set()
    moved = {n for n, weight in after.named_parameters() if not weight.equal(before.get_parameter(n))}
    assert moved == {*matrices, *biases}


@pytest.mark.parametrize("criterion", ["fisher", "sparsegpt", "movement", "soft-movement"])
def test_every_criterion_prunes_while_training(pruned, task_spec, tmp_path, criterion):
    teacher = str(pruned("bert").folder / "teacher")
    fields = {"teacher": teacher, "criterion": criterion, "schedule": Schedule(pruning_steps=4)}
    run = prune(recipe(teacher, task_spec, **fields), tmp_path / "run")
    assert run.metrics["sparsity"] == pytest.approx(0.75, abs=0.002)
    assert run.metrics["metrics"]["accuracy"] > 0.9


def test_a_small_dense_student_learns(pruned, task_spec, tmp_path):
    teacher = pruned("bert").folder / "teacher"
    training = StudentTraining(**TRAINING.model_dump())
    small = DistillRecipe(teacher=str(teacher), task=task_spec, student="1x16", training=training)
    run = distill(small, str(tmp_path / "small"))
    assert run.metrics["metrics"]["accuracy"] > 0.9
    assert run.metrics["encoder_weights"] == 12 * 16 * 16
    assert run.metrics["steps"] == 48
    model = AutoModelForSequenceClassification.from_pretrained(run.folder)
    assert not any("projection" in name for name, _ in model.named_parameters())


@pytest.fixture(params=["prune", "distill"])
def teach(request, pruned, task_spec, tmp_path):
    """Teach a student of either kind, its teacher that of `pruned("bert")`."""

    def teach(**fields):
        teacher = str(pruned("bert").folder / "teacher")
        if request.param == "prune":
            return prune(recipe(teacher, task_spec, teacher=teacher, **fields), tmp_path / "run")
        training = StudentTraining(**TRAINING.model_dump())
        small = DistillRecipe(teacher=teacher, task=task_spec, student="1x16", training=training, **fields)
        return distill(small, tmp_path / "run")

    return teach


def test_the_student_alone_learns_from_augmented_rows(teach, pruned):
    run = teach(augment=2, replaced_share=1)
    lines = [json.loads(line) for line in (run.folder / "augmented.jsonl").read_text().splitlines()]
    assert len(lines) == 3 * run.metrics["train_rows"]
    assert lines[0]["label"] == lines[1]["label"] == lines[2]["label"]
    first, copy = (line["text"].split() for line in lines[:2])
    assert all(word != other for word, other in zip(first, copy, strict=True))
    assert run.metrics["steps"] == 3 * pruned("bert").metrics["steps"]


def test_the_student_learns_from_unlabelled_texts_too(teach, pruned, tmp_path):
    plain = pruned("bert").metrics
    (tmp_path / "more.txt").write_text("a good film\n\na bad film\n" * plain["train_rows"])
    run = teach(unlabelled=str(tmp_path / "more.txt"))
    assert run.metrics["unlabelled"] == 2 * plain["train_rows"]
    assert run.metrics["steps"] == 3 * plain["steps"]


def test_tagged_words_are_not_augmented(pruned, tmp_path):
    words = tmp_path / "words.jsonl"
    words.write_text('{"tokens": ["a", "film"], "tags": ["O", "B-X"]}\n' * 8)
    plain = recipe(str(pruned("bert").folder), f"tags:{words},{words}", augment=1)
    with pytest.raises(InputError, match="augment a task that classifies whole texts"):
        prune(plain, tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"words.jsonl"}


@pytest.mark.parametrize("pruning_steps", [1, 3])  # packed already when it is killed, or not yet
def test_a_killed_run_resumes_to_the_same_weights(pruning_steps, checkpoint, task_spec, tmp_path):
    """Killed first while the teacher learns, then while the student is pruned."""
    long = TRAINING.model_copy(update={"batch_size": 4, "dropout": 0.1})
    gradual = Schedule(pruning_steps=pruning_steps)  # masks drawn before the interruption count after it
    plan = recipe(
        checkpoint(), task_spec, training=long, teacher_training=long, schedule=gradual, sparsity=0.9
    )
    save_recipe(plan, tmp_path / "plan.yaml")
    whole, output = prune(plan, tmp_path / "whole").folder, tmp_path / "killed"
    command = [sys.executable, "-m", "kaprune_edge_cli", "prune", "--recipe", str(tmp_path / "plan.yaml")]
    for stage, more in (("teacher", []), ("student", ["--resume"])):
        process = subprocess.Popen([*command, "--output", output, *more], stderr=subprocess.DEVNULL)
        checkpoints = interrupted(output) / "checkpoints" / stage
        while not list(checkpoints.glob("checkpoint-*/complete")):
            assert process.poll() is None, "finished before it could be killed"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not output.exists()
    clock = interrupted(output) / "clock.json"
    assert json.loads(clock.read_text())["seconds"] > 0
    clock.write_text('{"seconds": 1000}')
    assert prune(plan, output, resume=True).metrics["seconds"] > 1000
    assert not (output / clock.name).exists()

    expected, resumed = (load_file(folder / "model.safetensors") for folder in (whole, output))
    assert expected.keys() == resumed.keys()
    for name, weight in expected.items():
        assert torch.equal(weight, resumed[name]), name


def test_an_interrupted_run_is_not_mixed_with_another(checkpoint, task_spec, tmp_path):
    short = TRAINING.model_copy(update={"epochs": 1.0})
    plan = recipe(checkpoint(), task_spec, training=short, teacher_training=short)
    output = tmp_path / "run"
    with pytest.raises(InputError, match="start it without --resume"):
        prune(plan, output, resume=True)
    interrupted(output).mkdir()
    with pytest.raises(InputError, match="continue with --resume"):
        prune(plan, output)
    prune(plan, output, resume=True)
    output.rename(interrupted(output))
    with pytest.raises(InputError, match="begun with other options"):
        prune(plan.model_copy(update={"sparsity": 0.5}), output, resume=True)
    assert interrupted(output).is_dir()
