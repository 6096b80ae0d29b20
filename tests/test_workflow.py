import json
import signal
import subprocess
import sys
import time

import pytest
import tiny
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from kaprune_edge.artifacts import interrupted
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.recipe import DistillRecipe, PruneRecipe, Training
from kaprune_edge.workflow import distill, evaluate, export, prune
from kaprune_runtime.errors import InputError

TRAINING = Training(epochs=8, learning_rate=3e-3, batch_size=8, max_length=24, dropout=0.0)


def recipe(model, task_spec, **changes):
    fields = {
        "model": model,
        "task": task_spec,
        "sparsity": 0.75,
        "pattern": "4x1",
        "training": TRAINING,
        "teacher_training": TRAINING,
    }
    return PruneRecipe(**{**fields, **changes})


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_every_architecture_is_pruned_to_its_target_and_learns(model_type, checkpoint, task_spec, tmp_path):
    source = checkpoint(model_type)
    run = prune(recipe(source, task_spec), tmp_path / "run")
    assert run.metrics["teacher_metrics"]["accuracy"] > 0.9
    assert run.metrics["metrics"]["accuracy"] > 0.7
    assert run.metrics["sparsity"] == pytest.approx(0.75)

    before = AutoModelForSequenceClassification.from_pretrained(source)
    after = AutoModelForSequenceClassification.from_pretrained(run.folder)
    for name, weight in encoder_matrices(after).items():
        assert (weight == 0).float().mean() == pytest.approx(0.75), name
        blocks = weight.reshape(weight.shape[0] // 4, 4, -1) != 0
        assert set(blocks.sum(1).flatten().tolist()) <= {0, 4}
    pruned = set(encoder_matrices(after))
    dense = [name for name, weight in after.named_parameters() if name not in pruned and weight.dim() == 2]
    assert dense
    assert all((after.get_parameter(name) != 0).float().mean() > 0.9 for name in dense)
    assert {name for name, _ in before.named_parameters()} == {name for name, _ in after.named_parameters()}


def test_a_run_folder_is_whole(checkpoint, task_spec, tmp_path):
    run = prune(recipe(checkpoint(), task_spec), tmp_path / "run")
    assert json.loads((run.folder / "metrics.json").read_text()) == run.metrics
    assert yaml.safe_load((run.folder / "recipe.yaml").read_text())["training"]["epochs"] == 8
    names = {path.name for path in run.folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "teacher"} <= names
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_pytorch_and_onnx_score_the_same(checkpoint, task_spec, tmp_path):
    run = prune(recipe(checkpoint(), task_spec), tmp_path / "run")
    export(run.folder, tmp_path / "deployment")
    torch_score = evaluate(str(run.folder), task_spec)
    onnx_score = evaluate(str(tmp_path / "deployment"), task_spec)
    assert (torch_score["engine"], onnx_score["engine"]) == ("pytorch", "onnxruntime")
    assert torch_score["metrics"] == onnx_score["metrics"] == run.metrics["metrics"]


@pytest.mark.parametrize("start", ["pretrained", "teacher"])
def test_the_student_starts_where_it_is_told(checkpoint, task_spec, tmp_path, start):
    source = checkpoint()
    still = TRAINING.model_copy(update={"learning_rate": 1e-12})
    run = prune(recipe(source, task_spec, training=still, student_start=start), tmp_path / "run")
    origin = source if start == "pretrained" else run.folder / "teacher"
    started = AutoModelForSequenceClassification.from_pretrained(origin)
    ended = AutoModelForSequenceClassification.from_pretrained(run.folder)
    torch.testing.assert_close(
        ended.get_input_embeddings().weight, started.get_input_embeddings().weight, atol=1e-6, rtol=0
    )


def test_a_small_dense_student_learns(checkpoint, task_spec, tmp_path):
    teacher = prune(recipe(checkpoint(), task_spec), tmp_path / "run").folder / "teacher"
    small = DistillRecipe(teacher=str(teacher), task=task_spec, student="1x16", training=TRAINING)
    run = distill(small, tmp_path / "small")
    assert run.metrics["metrics"]["accuracy"] > 0.7
    assert run.metrics["encoder_weights"] == 12 * 16 * 16
    assert run.metrics["steps"] == 48
    model = AutoModelForSequenceClassification.from_pretrained(run.folder)
    assert not any("projection" in name for name, _ in model.named_parameters())


def test_a_killed_run_resumes_to_the_same_weights(checkpoint, task_spec, tmp_path):
    """Killed first while the teacher learns, then while the student is pruned."""
    source = checkpoint()
    arguments = [
        *("prune", source, "--task", task_spec, "--sparsity", "0.8", "--epochs", "20"),
        *("--teacher-epochs", "20", "--batch-size", "4", "--max-length", "24"),
    ]
    command = [sys.executable, "-m", "kaprune_edge_cli", *arguments]
    subprocess.run([*command, "--output", tmp_path / "whole"], check=True, capture_output=True)

    output = tmp_path / "killed"
    for stage, more in (("teacher", []), ("student", ["--resume"])):
        process = subprocess.Popen([*command, "--output", output, *more], stderr=subprocess.DEVNULL)
        checkpoints = interrupted(output) / "checkpoints" / stage
        while not list(checkpoints.glob("checkpoint-*/complete")):
            assert process.poll() is None, "finished before it could be killed"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not output.exists()
    subprocess.run([*command, "--output", output, "--resume"], check=True, capture_output=True)

    expected, resumed = (load_file(folder / "model.safetensors") for folder in (tmp_path / "whole", output))
    assert expected.keys() == resumed.keys()
    for name, weight in expected.items():
        assert torch.equal(weight, resumed[name]), name


def test_an_interrupted_run_is_not_mixed_with_another(checkpoint, task_spec, tmp_path):
    source, output = checkpoint(), tmp_path / "run"
    with pytest.raises(InputError, match="start it without --resume"):
        prune(recipe(source, task_spec), output, resume=True)
    interrupted(output).mkdir()
    with pytest.raises(InputError, match="continue with --resume"):
        prune(recipe(source, task_spec), output)
    prune(recipe(source, task_spec), output, resume=True)
    output.rename(interrupted(output))
    with pytest.raises(InputError, match="begun with other options"):
        prune(recipe(source, task_spec, sparsity=0.5), output, resume=True)
