"""Runs of a few steps on a tiny model, to interrupt, damage and resume."""

from pathlib import Path

from safetensors.torch import load_file

from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.recipe import DistillRecipe, FineTuning, PruneRecipe, StudentTraining, Training
from kaprune_edge.workflow import distill, prune

TRAINING = Training(epochs=1, learning_rate=3e-3, batch_size=8, max_length=24, dropout=0.1)
"""Six steps of 48 rows, each with a checkpoint."""
TEACHER = FineTuning(epochs=1, learning_rate=3e-3, batch_size=16, max_length=24, dropout=0.1)
STUDENT = "prune and train"


def pruning(model, task, **changes):
    fields = {"training": TRAINING, "teacher_training": TEACHER, "schedule": Schedule(pruning_steps=2)}
    chosen = {"sparsity": 0.75, "pattern": "4x1", "criterion": "magnitude"}
    return PruneRecipe(model=model, task=task, **{**fields, **chosen, **changes})


def distilling(model, task):
    training = StudentTraining(**TRAINING.model_dump())
    return DistillRecipe(teacher=model, task=task, student="1x16", training=training)


def run(recipe, output, **options):
    verb = prune if isinstance(recipe, PruneRecipe) else distill
    return verb(recipe, output, **options).folder


def same_weights(one, other):
    """Whether two runs, and their teachers, hold the same bits."""
    names = [path.relative_to(one) for path in Path(one).rglob("model.safetensors")]
    assert names
    for name in names:
        expected, found = load_file(one / name), load_file(other / name)
        if expected.keys() != found.keys() or not all(found[key].equal(expected[key]) for key in expected):
            return False
    return True


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


class StopsAfter:
    """Progress that interrupts a stage after some steps."""

    def __init__(self, stage, steps):
        self._stage, self._steps = stage, steps

    def start(self, stage, total):
        self._now = stage

    def advance(self, done, **figures):
        if self._now == self._stage and done > self._steps:
            raise KeyboardInterrupt
