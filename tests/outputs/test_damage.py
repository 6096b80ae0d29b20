"""What lies damaged in an unfinished run is noticed, told, and done again from the last whole state."""

import json
import shutil

import pytest
import short_runs

from kaprune_edge.artifacts import interrupted
from kaprune_edge.pruning.schedule import Schedule
from kaprune_runtime.errors import InputError

NEWEST, OLDER = "checkpoints/student/checkpoint-4", "checkpoints/student/checkpoint-3"


@pytest.fixture(scope="module")
def recipe(checkpoint, task_spec):
    gradual = Schedule(pruning_steps=3)
    return short_runs.pruning(checkpoint(), task_spec, criterion="soft-movement", schedule=gradual)


@pytest.fixture(scope="module")
def undisturbed(recipe, tmp_path_factory):
    return short_runs.run(recipe, tmp_path_factory.mktemp("undisturbed") / "run")


@pytest.fixture(scope="module")
def stopped(recipe, tmp_path_factory):
    """The folder of a pruning that was interrupted after four of six steps."""
    output = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(KeyboardInterrupt):
        short_runs.run(recipe, output, progress=short_runs.StopsAfter(short_runs.STUDENT, 4))
    return interrupted(output)


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file):
    file.write_bytes(b"")


def remove(file):
    file.unlink()


DAMAGES = [
    *((f"{NEWEST}/{name}", remove) for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth")),
    *((f"{NEWEST}/{name}", empty) for name in ("complete", "trainer_state.json", "masks.safetensors")),
    *((f"{NEWEST}/{name}", cut) for name in ("criterion.safetensors", "optimizer.pt")),
    (f"{NEWEST}/model.safetensors", flip),
    ("teacher/model.safetensors", flip),
    ("teacher/config.json", cut),
    ("teacher/tokenizer.json", remove),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES, ids=lambda value: getattr(value, "__name__", value))
def test_a_damaged_file_changes_no_weight(name, damage, recipe, undisturbed, stopped, tmp_path, caplog):
    output = tmp_path / "run"
    shutil.copytree(stopped, interrupted(output))
    damage(interrupted(output) / name)
    short_runs.run(recipe, output, resume=True)
    assert short_runs.same_weights(undisturbed, output)
    assert short_runs.files(output) == short_runs.files(undisturbed)
    (told,) = [record.getMessage() for record in caplog.records if record.name.startswith("kaprune_edge")]
    assert "damaged" in told
    if name.startswith(NEWEST):
        assert "checkpoint-4; this training goes on from checkpoint-3" in told


def test_two_checkpoints_are_kept_and_their_pickles_are_not_needed(stopped):
    kept = sorted(path.name for path in (stopped / "checkpoints" / "student").iterdir())
    assert kept == ["checkpoint-3", "checkpoint-4"]
    seal = json.loads((stopped / NEWEST / "complete").read_text())
    assert set(seal) == set(short_runs.files(stopped / NEWEST)) - {"complete"}


def test_without_a_whole_checkpoint_a_training_starts_over(recipe, undisturbed, stopped, tmp_path, caplog):
    output = tmp_path / "run"
    shutil.copytree(stopped, interrupted(output))
    for folder in (NEWEST, OLDER):
        flip(interrupted(output) / folder / "model.safetensors")
    (interrupted(output) / "clock.json").write_bytes(b"")
    short_runs.run(recipe, output, resume=True)
    assert short_runs.same_weights(undisturbed, output)
    assert "checkpoint-4, checkpoint-3; this training starts over" in caplog.text


def test_a_checkpoint_without_its_seal_is_passed_over_in_silence(
    recipe, undisturbed, stopped, tmp_path, caplog
):
    """As a kill leaves it in the middle of saving."""
    output = tmp_path / "run"
    shutil.copytree(stopped, interrupted(output))
    (interrupted(output) / NEWEST / "complete").unlink()
    (interrupted(output) / NEWEST / "optimizer.pt").unlink()
    short_runs.run(recipe, output, resume=True)
    assert short_runs.same_weights(undisturbed, output)
    assert "damaged" not in caplog.text


def test_a_damaged_recipe_is_not_guessed(recipe, stopped, tmp_path):
    output = tmp_path / "run"
    shutil.copytree(stopped, interrupted(output))
    (interrupted(output) / "recipe.yaml").write_bytes(b"")
    with pytest.raises(InputError, match=r"recipe.yaml is damaged, so it cannot be told what was begun"):
        short_runs.run(recipe, output, resume=True)
    assert (interrupted(output) / NEWEST / "complete").exists()


@pytest.mark.parametrize("name", ["plan.json", "augmented.jsonl"])
def test_damaged_preparations_are_made_again(name, checkpoint, task_spec, tmp_path):
    recipe = short_runs.pruning(checkpoint(), task_spec, budget="sensitivity", augment=1)
    with pytest.raises(KeyboardInterrupt):
        short_runs.run(recipe, tmp_path / "run", progress=short_runs.StopsAfter(short_runs.STUDENT, 4))
    undamaged = (interrupted(tmp_path / "run") / name).read_bytes()
    cut(interrupted(tmp_path / "run") / name)
    short_runs.run(recipe, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / name).read_bytes() == undamaged
    assert short_runs.same_weights(short_runs.run(recipe, tmp_path / "whole"), tmp_path / "run")
