"""Budgets through the door of `prune`."""

import json

import numpy as np
import pytest
from transformers import AutoModelForSequenceClassification

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.recipe import FineTuning, PruneRecipe, Training, make_recipe
from kaprune_edge.workflow import prune
from kaprune_runtime.errors import InputError

SHORT = Training(max_length=24)


@pytest.fixture(scope="module")
def teacher(checkpoint, task_spec, tmp_path_factory):
    short = FineTuning(epochs=1, max_length=24)
    fields = {"training": SHORT, "teacher_training": short, "one_shot": True}
    recipe = PruneRecipe(model=checkpoint(), task=task_spec, **fields)
    return str(prune(recipe, tmp_path_factory.mktemp("teacher") / "run").folder / "teacher")


@pytest.fixture
def pruned(teacher, task_spec, tmp_path):
    """Prune at once, with fields of the recipe; give the run and the share removed of each matrix."""

    def run(**fields):
        sources = {"model": teacher, "teacher": teacher, "task": task_spec}
        recipe = PruneRecipe(**sources, training=SHORT, one_shot=True, **fields)
        run = prune(recipe, tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        matrices = encoder_matrices(AutoModelForSequenceClassification.from_pretrained(run.folder))
        shares = {name: float((weight == 0).float().mean()) for name, weight in matrices.items()}
        assert run.metrics["sparsities"] == pytest.approx(shares, abs=1e-4)
        return run, shares

    return run


@pytest.mark.parametrize("pattern", ["unstructured", "4x1"])
def test_sensitivity_divides_the_same_weights_unevenly(pruned, pattern):
    even, _ = pruned(sparsity=0.8, pattern=pattern)
    run, shares = pruned(sparsity=0.8, pattern=pattern, budget="sensitivity")
    assert run.metrics["sparsity"] == pytest.approx(even.metrics["sparsity"], abs=0.01)
    assert run.metrics["encoder_weights"] <= 1.001 * even.metrics["encoder_weights"]
    assert len({round(share, 2) for share in shares.values()}) > 3
    assert json.loads((run.folder / "plan.json").read_text())["sparsity"].keys() == shares.keys()


def test_a_generous_latency_removes_nothing(pruned):
    run, shares = pruned(latency_budget=1000, budget="sensitivity")
    assert set(shares.values()) == {0}
    assert 0 < run.metrics["milliseconds"] < 1000


def test_a_latency_out_of_reach_is_refused_before_anything_is_trained(checkpoint, task_spec, tmp_path):
    recipe = PruneRecipe(model=checkpoint(), task=task_spec, training=SHORT, latency_budget=1e-6)
    with pytest.raises(InputError, match=r"a latency of 1e-06 ms is out of reach; with 1% .* takes about"):
        prune(recipe, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_latency_that_falls_out_of_reach_while_it_is_planned_is_refused(pruned, monkeypatch):
    measured = iter([1.0, 1000.0])
    monkeypatch.setattr("kaprune_edge.budget.plan.model_milliseconds", lambda *_: next(measured))
    with pytest.raises(InputError, match=r"a latency of 2 ms is out of reach; .* about 1e.03 ms"):
        pruned(latency_budget=2.0)


def test_a_plan_that_met_the_latency_is_kept_when_the_next_does_not(pruned, monkeypatch):
    """The machine seems to slow down meanwhile, so that nothing is fast enough any more."""
    measured = iter([1.0, 1.5, 1000.0])
    monkeypatch.setattr("kaprune_edge.budget.plan.model_milliseconds", lambda *_: next(measured))
    run, shares = pruned(latency_budget=2.0)
    assert run.metrics["milliseconds"] == 1.5
    assert [*shares.values()] == pytest.approx([0.9] * len(shares), abs=0.01)


def test_shares_beyond_the_measured_ones_are_refused(pruned):
    with pytest.raises(InputError, match=r"sparsity 0.995 is beyond .* 0.99; .*--budget uniform"):
        pruned(sparsity=0.995, budget="sensitivity")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pattern": "2:4", "sparsity": 0.5, "budget": "sensitivity"}, "pattern 2:4 fixes the sparsity"),
        ({"pattern": "2:4", "sparsity": 0.5, "latency_budget": 5.0}, "pattern 2:4 fixes the sparsity"),
        (
            {"criterion": "soft-movement", "budget": "sensitivity"},
            "soft-movement divides the sparsity itself",
        ),
        ({"latency_budget": 0.0}, "latency_budget is 0.0; it should be greater than 0"),
    ],
)
def test_budgets_that_do_not_fit_the_recipe_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        make_recipe(PruneRecipe, None, {"model": "bert", "task": "glue/sst2", **fields})


def test_a_plan_meets_its_latency(pruned, monkeypatch):
    """With times as a function of the kept weights, of which the rest is one too, that function judges."""
    from kaprune_edge.budget import plan

    def linear(shape, pattern, sparsity):
        return shape[0] * shape[1] * (1 - sparsity) / 1000

    def whole(model, pattern, sparsity):
        sizes = {name: weight.numel() for name, weight in encoder_matrices(model).items()}
        return takes(sum(size * (1 - sparsity[name]) for name, size in sizes.items()), sum(sizes.values()))

    def takes(kept, weights):
        return 0.5 + 5 * kept / weights + kept / 1000

    monkeypatch.setattr(plan, "linear_milliseconds", linear)
    monkeypatch.setattr(plan, "model_milliseconds", whole)
    run, shares = pruned(budget="sensitivity", latency_budget=2.0)
    weights = run.metrics["teacher_encoder_weights"]
    reached = takes(run.metrics["encoder_weights"], weights)
    assert run.metrics["milliseconds"] == pytest.approx(reached, rel=0.02)
    assert 1.9 < reached <= 2.05
    assert np.std([*shares.values()]) > 0.01
