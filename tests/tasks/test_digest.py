"""An interrupted job goes on with the rows that it was begun with, or not at all."""

import json
from pathlib import Path

import pytest

from kaprune_edge.artifacts import interrupted
from kaprune_edge.augmentation import AugmentRecipe, augment
from kaprune_edge.progress import Silent
from kaprune_edge.recipe import DistillRecipe, PruneRecipe
from kaprune_edge.tasks import load_task
from kaprune_edge.tasks.digest import rows_digest
from kaprune_edge.workflow import distill, prune
from kaprune_runtime.errors import InputError

ROWS = [{"text": f"the film {row}", "label": row % 2} for row in range(16)]
TRAINING = {"epochs": 1, "max_length": 16, "batch_size": 8}


class Stop(Silent):
    """A user who presses Ctrl-C at the first sign of life."""

    def advance(self, *_, **__):
        raise KeyboardInterrupt


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("train.jsonl", "eval.jsonl"):
        write(tmp_path / name, ROWS)
    (tmp_path / "more.txt").write_text("a warm film\na dull plot\n")
    return tmp_path


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def jobs(model):
    task = "jsonl:train.jsonl,eval.jsonl"
    fields = {"task": task, "training": TRAINING, "unlabelled": "more.txt"}
    pruning = PruneRecipe(model=model, teacher_training=TRAINING, **fields)
    return {
        "prune": lambda **options: prune(pruning, interrupted_path(), **options),
        "distill": lambda **options: distill(
            DistillRecipe(teacher=model, student="1x16", **fields), interrupted_path(), **options
        ),
        "augment": lambda **options: augment(
            AugmentRecipe(task=task, model=model, copies=1), interrupted_path(), workers=1, **options
        ),
    }


def interrupted_path():
    return Path("made")


@pytest.mark.parametrize("job", ["prune", "distill", "augment"])
@pytest.mark.parametrize("changed", ["train.jsonl", "eval.jsonl", "more.txt"])
def test_changed_rows_are_not_resumed(place, checkpoint, job, changed):
    if job == "augment" and changed == "more.txt":
        pytest.skip("augment reads no unlabelled texts")
    run = jobs(checkpoint(label_names=["0", "1"]))[job]
    with pytest.raises(KeyboardInterrupt):
        run(progress=Stop())
    before = (place / changed).read_text()
    (place / changed).write_text(before.replace("film", "movie"))
    with pytest.raises(
        InputError, match=r"rows of jsonl:.* changed since .*made.partial was begun; put the old"
    ):
        run(resume=True)
    (place / changed).write_text(before)
    run(resume=True)
    assert (place / "made").exists() and not interrupted(place / "made").exists()


def test_a_digest_tells_everything_of_the_rows(place):
    def digest(rows, evaluation=ROWS):
        write(place / "train.jsonl", rows)
        write(place / "eval.jsonl", evaluation)
        return rows_digest(load_task("jsonl:train.jsonl,eval.jsonl"))

    first, *others = ROWS
    told = [
        digest(ROWS),
        digest([*others, first]),
        digest(others),
        digest([{**first, "text": "the film 0 "}, *others]),
        digest([{**first, "label": 1}, *others]),
        digest(ROWS, others),
        digest([{**row, "label": f"c{row['label']}"} for row in ROWS], [{**first, "label": "c0"}]),
        digest([{**row, "label": row["label"] + 0.5} for row in ROWS]),
    ]
    assert len(set(told)) == len(told)
    assert digest([{**row, "more": 1} for row in ROWS]) == told[0]
