"""Recipes: read, overridden, checked, and written back without loss."""

import re

import pytest

from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.recipe import (
    DistillRecipe,
    FineTuning,
    LossWeights,
    PruneRecipe,
    Training,
    make_recipe,
    save_recipe,
)
from kaprune_runtime.errors import InputError

GIVEN = {"model": "bert", "task": "glue/sst2"}
WHOLE = PruneRecipe(
    model="bert",
    teacher="tuned",
    task="csv:a.csv,b.csv",
    train_rows=100,
    seed=3,
    training=Training(epochs=0.5, learning_rate=1e-4, batch_size=8, max_length=64, decay="linear", dropout=0),
    teacher_training=FineTuning(epochs=2),
    losses=LossWeights(attention=0, hidden=2.5),
    student_start="teacher",
    sparsity=0.5,
    pattern="2:4",
    criterion="magnitude",
    one_shot=True,
    schedule=Schedule(course="linear", pruning_steps=7, fixed_share=0),
)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    "recipe", [WHOLE, PruneRecipe(**GIVEN), DistillRecipe(teacher="t", task="glue/cola")]
)
def test_yaml_round_trip(recipe, tmp_path):
    save_recipe(recipe, tmp_path / "recipe.yaml")
    assert make_recipe(type(recipe), tmp_path / "recipe.yaml", {}) == recipe


def test_the_teacher_is_pruned_once_by_reconstruction_unless_told_otherwise():
    recipe = make_recipe(PruneRecipe, None, GIVEN)
    assert (recipe.sparsity, recipe.pattern, recipe.one_shot) == (0.95, "unstructured", False)
    assert (recipe.criterion, recipe.student_start) == ("reconstruction", "teacher")
    assert recipe.schedule.pruning_steps == 1
    assert recipe.losses == LossWeights(attention=1, embeddings=1, hidden=1, logits=1, logits_only=0)


def test_a_part_of_a_section_leaves_its_other_fields_at_their_defaults(file):
    recipe = make_recipe(PruneRecipe, file("teacher_training: {epochs: 1}\ntraining: {epochs: 2}"), GIVEN)
    assert recipe.teacher_training == FineTuning(epochs=1, learning_rate=5e-5, decay="linear", dropout=None)
    assert recipe.training == Training(epochs=2, learning_rate=3e-4, decay="linear", dropout=0)


def test_a_teacher_is_chosen_unless_its_epochs_or_its_rate_are_given(file):
    assert make_recipe(PruneRecipe, None, GIVEN).teacher_training.is_chosen
    assert make_recipe(
        PruneRecipe, None, {**GIVEN, "teacher_training.batch_size": 8}
    ).teacher_training.is_chosen
    given = make_recipe(PruneRecipe, None, {**GIVEN, "teacher_training.learning_rate": 1e-4}).teacher_training
    assert (given.is_chosen, given.epochs, given.learning_rate) == (False, 3, 1e-4)
    both = FineTuning(epochs=2, learning_rate=1e-4).resolved
    assert (both.epochs, both.learning_rate, both.warmup) == (2, 1e-4, 0)
    for_tags = FineTuning(batch_size=8).resolved
    assert (for_tags.epochs, for_tags.learning_rate, for_tags.batch_size) == (3, 5e-5, 8)


def test_options_win_over_the_file_and_leave_its_other_fields(file):
    path = file("model: bert\ntask: glue/sst2\nsparsity: 0.8\ntraining: {epochs: 5, batch_size: 16}\n")
    recipe = make_recipe(
        PruneRecipe, path, {"sparsity": 0.9, "training.epochs": 2.0, "schedule.course": "linear"}
    )
    assert (recipe.sparsity, recipe.training.epochs, recipe.training.batch_size) == (0.9, 2, 16)
    assert recipe.schedule == Schedule(course="linear")
    assert make_recipe(PruneRecipe, path, {}).sparsity == 0.8


def test_n_of_m_needs_no_quotes(file):
    assert make_recipe(PruneRecipe, file("pattern: 2:4\nsparsity: 0.5\nseed: 12"), GIVEN).pattern == "2:4"


def test_numbers_that_yaml_takes_for_text_are_read(file):
    recipe = make_recipe(PruneRecipe, file("training: {learning_rate: 1e-4}"), GIVEN)
    assert recipe.training.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("field", "least", "too_little"),
    [
        ("sparsity", 0, -0.01),
        ("train_rows", 1, 0),
        ("seed", 0, -1),
        ("training.batch_size", 1, 0),
        ("training.max_length", 8, 7),
        ("training.dropout", 0, -0.1),
        ("losses.attention", 0, -1),
        ("schedule.pruning_steps", 1, 0),
        ("schedule.fixed_share", 0, -0.1),
    ],
)
def test_ranges(field, least, too_little):
    make_recipe(PruneRecipe, None, {**GIVEN, field: least})
    message = f"{field} is {too_little}; it should be greater than or equal to {least}"
    with pytest.raises(InputError, match=re.escape(message)):
        make_recipe(PruneRecipe, None, {**GIVEN, field: too_little})


@pytest.mark.parametrize(
    "field", ["sparsity", "training.dropout", "schedule.fixed_share", "losses.logits_only"]
)
def test_shares_stay_below_one(field):
    make_recipe(PruneRecipe, None, {**GIVEN, field: 0.999})
    with pytest.raises(InputError, match=f"{field} is 1.0; it should be less than 1"):
        make_recipe(PruneRecipe, None, {**GIVEN, field: 1.0})


@pytest.mark.parametrize("field", ["training.epochs", "training.learning_rate"])
@pytest.mark.parametrize(("value", "message"), [(0.0, "greater than 0"), (float("nan"), "a finite number")])
def test_amounts_are_positive_and_finite(field, value, message):
    with pytest.raises(InputError, match=f"{field} is {value}; it should be {message}"):
        make_recipe(PruneRecipe, None, {**GIVEN, field: value})


@pytest.mark.parametrize("pattern", ["2:4", "1:4"])
def test_a_pattern_of_n_of_m_sets_its_sparsity(pattern, tmp_path):
    kept, of = map(int, pattern.split(":"))
    recipe = make_recipe(PruneRecipe, None, {**GIVEN, "pattern": pattern})
    assert recipe.sparsity == 1 - kept / of
    save_recipe(recipe, tmp_path / "recipe.yaml")
    assert f"sparsity: {1 - kept / of}\n" in (tmp_path / "recipe.yaml").read_text()
    assert make_recipe(PruneRecipe, tmp_path / "recipe.yaml", {}) == recipe


def test_a_saved_recipe_may_hold_fields_without_effect(tmp_path):
    recipe = PruneRecipe(**GIVEN, teacher="tuned", one_shot=True)
    save_recipe(recipe, tmp_path / "recipe.yaml")
    assert make_recipe(PruneRecipe, tmp_path / "recipe.yaml", {}) == recipe
    with pytest.raises(InputError, match=r"training.epochs would change nothing"):
        make_recipe(PruneRecipe, tmp_path / "recipe.yaml", {"training.epochs": 5.0})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sparcity: 0.5", r"sparcity is unknown; the fields there are task, .*sparsity"),
        ("schedule: {steps: 5}", r"schedule.steps is unknown; .* course, pruning_steps, fixed_share"),
        ("training:", r"training is None; it should be a valid dictionary"),
        ("losses: {logits: much}", r"losses.logits is 'much'; it should be a valid number"),
        ("{unlabelled: more.txt, learns_from: labels}", "unlabelled texts have no labels to learn from"),
        ("losses: {logits: 0, logits_only: 0.3}", r"losses.logits_only leaves no loss where"),
        ("student_start: afresh", r"student_start is 'afresh'; it should be 'pretrained' or 'teacher'"),
        ("criterion: random", r"criterion is 'random'; it should be 'reconstruction', .*or 'magnitude'"),
        (
            "criterion: movement",
            r"movement learns from the training .*set schedule.pruning_steps to 2 or more",
        ),
        ("{one_shot: true, student_start: pretrained}", r"one-shot .* teach pretrained .*start from teacher"),
        ("pattern: 4by1", r"unknown pattern '4by1'; use unstructured, RxC"),
        ("{pattern: '1:4', sparsity: 0.95}", r"pattern 1:4 needs sparsity 0.75, not 0.95"),
        ("- model", r"recipe.yaml holds no recipe; it must be a mapping"),
        ("", r"recipe.yaml holds no recipe; it must be a mapping"),
        ("model: [", r"recipe.yaml is not YAML; see docs/prune.md"),
        ("!!python/object/apply:os.getcwd []", r"recipe.yaml is not YAML; see docs/prune.md"),
    ],
)
def test_bad_recipes_are_refused(file, text, message):
    with pytest.raises(InputError, match=message):
        make_recipe(PruneRecipe, file(text), GIVEN)


@pytest.mark.parametrize(("kind", "field"), [(PruneRecipe, "model"), (DistillRecipe, "teacher")])
def test_what_has_no_default_must_be_given(kind, field):
    with pytest.raises(InputError, match=f"{field} is missing; give it on the command line or in the recipe"):
        make_recipe(kind, None, {"task": "glue/sst2"})
