"""Two processes by `accelerate launch`, on the processor, and one that does the same alone."""

import json
import os
import subprocess
import sys
import time

import learn_together
import pytest
import torch
from safetensors.torch import load_file

from kaprune_edge.artifacts import interrupted
from kaprune_edge.recipe import FineTuning, PruneRecipe, save_recipe
from kaprune_edge.workflow import prune

LAUNCH = [
    *(sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"),
    *("--multi_gpu", "--num_processes", "2", "--main_process_port", "0"),
]
PATIENCE = 600
"""Seconds, beyond which processes that wait for each other are a failure."""


def start(*command):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*LAUNCH, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def assert_nearly_the_same(one, other):
    """Same masks; weights that differ by less than a twentieth of a step (root of the mean of squares).

    But a key's bias, which moves all scores of a query alike: its gradient is what rounding leaves.
    """
    assert all(torch.equal(weight == 0, other[name] == 0) for name, weight in one.items())
    differences = [(weight - other[name]).flatten() for name, weight in one.items() if "key.bias" not in name]
    assert torch.cat(differences).square().mean().sqrt() < learn_together.TRAINING.learning_rate / 20


@pytest.fixture(scope="module")
def recipe(checkpoint, task_spec):
    training = learn_together.TRAINING
    return PruneRecipe(
        model=checkpoint(),
        task=task_spec,
        train_rows=46,
        sparsity=0.75,
        pattern="4x1",
        criterion="magnitude",
        training=training,
        teacher_training=FineTuning(**training.model_dump()),
    )


@pytest.fixture(scope="module")
def alone(recipe, tmp_path_factory):
    """The run of one process."""
    return prune(recipe, tmp_path_factory.mktemp("alone") / "run")


def test_each_of_two_processes_has_what_one_alone_has(alone, task_spec, tmp_path):
    teacher = alone.folder / "teacher"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    launched = start(learn_together.__file__, teacher, task_spec, tmp_path / "two")
    learn_together.main(str(teacher), task_spec, tmp_path / "one")
    _, complaints = launched.communicate(timeout=PATIENCE)
    assert launched.returncode == 0, complaints

    for criterion in learn_together.CRITERIA_TRIED:
        one = load_file(tmp_path / "one" / f"{criterion}-0.safetensors")
        first, second = (load_file(tmp_path / "two" / f"{criterion}-{rank}.safetensors") for rank in (0, 1))
        assert all(torch.equal(weight, second[name]) for name, weight in first.items())
        assert_nearly_the_same(one, first)

    first, second = (json.loads((tmp_path / "two" / f"told-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first[1] == f"{tmp_path / 'two' / 'student'} exists; choose another --output or delete it"
    assert_nearly_the_same(
        *(load_file(tmp_path / name / "student" / "model.safetensors") for name in ("one", "two"))
    )


def test_an_interrupted_run_of_two_processes_ends_as_one_alone_does(alone, recipe, tmp_path):
    save_recipe(recipe, tmp_path / "plan.yaml")
    output = tmp_path / "run"
    command = ["-m", "kaprune_edge_cli", "prune", "--recipe", tmp_path / "plan.yaml", "--output", output]
    launched = start(*command)
    while not list((interrupted(output) / "checkpoints" / "student").glob("checkpoint-*/complete")):
        assert launched.poll() is None, launched.stderr.read()
        time.sleep(0.01)
    launched.terminate()
    launched.communicate(timeout=PATIENCE)
    assert not output.exists()
    launched = start(*command, "--resume", "--json")
    told, _ = launched.communicate(timeout=PATIENCE)

    metrics = json.loads(told)
    assert json.loads((output / "metrics.json").read_text()) == metrics
    assert {**metrics, "seconds": 0} == {**alone.metrics, "seconds": 0}
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".yaml"] == ["run"]
    files = [sorted(path.relative_to(run) for path in run.rglob("*")) for run in (output, alone.folder)]
    assert files[0] == files[1]
    assert_nearly_the_same(*(load_file(run / "model.safetensors") for run in (alone.folder, output)))


def test_two_processes_complain_once(alone, task_spec, tmp_path):
    output = tmp_path / "run"
    launched = start(
        *("-m", "kaprune_edge_cli", "prune", alone.folder / "teacher", "--task", task_spec),
        *("--max-length", "24", "--pattern", "5x1", "--output", output),
    )
    told, complaints = launched.communicate(timeout=PATIENCE)
    assert (launched.returncode, told) == (1, "")
    ours = [line for line in complaints.splitlines() if line.startswith("error: ")]
    assert len(ours) == 1
    assert "5x1" in ours[0]
    assert not list(tmp_path.iterdir())
