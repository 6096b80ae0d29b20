"""The whole search on tiny models, whose trainings are cut to a second."""

from dataclasses import replace

import pytest

from kaprune_edge import compress as package
from kaprune_edge.compress import CompressRecipe
from kaprune_edge.progress import Silent


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
    """Trainings of a second, a search of two steps, no copies, and a teacher that learns fast."""
    monkeypatch.setattr(package.attempt, "FEWEST_SECONDS", 0.5)
    monkeypatch.setattr(package.ladder, "FEWEST_SECONDS", 0.5)
    monkeypatch.setattr(package.ladder, "LAST", 0.8)
    monkeypatch.setattr(package.texts, "ENOUGH_TEXTS", 0)
    monkeypatch.setattr(package.attempt, "RUNS", 3, raising=False)
    loaded = package.compress_module.load_task
    monkeypatch.setattr(
        package.compress_module,
        "load_task",
        lambda *args, **kw: replace(loaded(*args, **kw), evaluation=Unread()),
    )


@pytest.fixture(scope="module")
def teacher(checkpoint):
    return checkpoint("bert", label_names=["0", "1"])


def recipe(teacher, task_spec, **fields):
    return CompressRecipe(model=teacher, task=task_spec, **{"max_drop": 100, "max_length": 24, **fields})
