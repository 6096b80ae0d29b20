"""Searches that end soon: tiny models, trainings of four steps, one sparsity."""

import importlib
from dataclasses import replace

import pytest

from kaprune_edge.compress import CompressRecipe

verb, ladder, from_probe = (
    importlib.import_module(f"kaprune_edge.{name}")
    for name in ("compress.compress", "compress.ladder", "fine_tuning.from_probe")
)


class Unread:
    """Evaluation rows that nobody may read."""

    def __getattr__(self, name):
        raise AssertionError(f"the evaluation rows were asked for {name}")


@pytest.fixture(scope="module")
def short():
    """Cut the search, and have the evaluation rows of every task raise."""
    load_task = verb.load_task
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "LAST", ladder.FIRST)
        patch.setattr(ladder, "MOST_TRIES", 1)
        patch.setattr(ladder, "CLOSE", 2)
        patch.setattr(verb, "student_step_seconds", lambda *_: 1000.0)  # one step in every training
        patch.setattr(from_probe, "_FEWEST_STEPS", 10)
        patch.setattr(
            verb,
            "load_task",
            lambda *spec, **options: replace(load_task(*spec, **options), evaluation=Unread()),
        )
        yield


@pytest.fixture(scope="package")
def make_recipe():
    def make(model, task, **fields):
        return CompressRecipe(**{"model": model, "task": task, "max_drop": 100, "max_length": 24, **fields})

    return make
