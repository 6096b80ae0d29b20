import numpy as np
import pytest
from datasets import Dataset

from kaprune_edge.tasks import Task
from kaprune_edge.tasks.glue import GLUE
from kaprune_runtime.errors import KapruneError

EMPTY = Dataset.from_dict({"sentence": [], "label": []})
PREDICTED = np.array([1, 1, 1, 0, 0, 1, 0, 1])
LABELS = np.array([1, 0, 1, 0, 1, 1, 0, 0])  # 3 true and 2 false positives, 2 true and 1 false negatives


def glue(name):
    return GLUE[name].task(name, EMPTY, EMPTY)


def logits(classes, num_labels=2):
    return np.eye(num_labels, dtype=np.float32)[classes] * 3 - 1


@pytest.mark.parametrize("name", ["mrpc", "qqp"])
def test_f1_and_accuracy_by_their_definitions(name):
    score = glue(name).score(logits(PREDICTED), LABELS)
    assert list(score) == ["f1", "accuracy"]
    assert score == {"f1": pytest.approx(2 * 3 / (2 * 3 + 2 + 1)), "accuracy": pytest.approx(5 / 8)}
    assert all(type(value) is float for value in score.values())


def test_matthews_by_its_definition():
    expected = (3 * 2 - 2 * 1) / np.sqrt((3 + 2) * (3 + 1) * (2 + 2) * (2 + 1))
    assert glue("cola").score(logits(PREDICTED), LABELS) == {"matthews": pytest.approx(expected)}


def test_accuracy_of_three_classes():
    score = glue("mnli").score(logits([0, 1, 2, 2], 3), np.array([0, 1, 2, 1]))
    assert score == {"accuracy": 0.75}


def test_correlations_against_numpy():
    random = np.random.default_rng(0)
    values, labels = random.normal(size=(50, 1)), random.normal(size=50)
    score = glue("stsb").score(values, labels)
    ranks = [column.argsort().argsort() for column in (values[:, 0], labels)]
    assert list(score) == ["pearson", "spearman"]
    assert score["pearson"] == pytest.approx(np.corrcoef(values[:, 0], labels)[0, 1])
    assert score["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])


@pytest.mark.parametrize("name, shape", [("stsb", (8, 1)), ("cola", (8, 2)), ("mrpc", (8, 2))])
def test_constant_predictions_have_a_finite_score(name, shape, recwarn):
    score = glue(name).score(np.zeros(shape), LABELS.astype(float) if name == "stsb" else LABELS)
    assert all(value == 0 for key, value in score.items() if key != "accuracy")
    assert not recwarn.list


def test_diverged_models_are_not_scored():
    with pytest.raises(KapruneError, match="outputs on sst2 are not finite"):
        glue("sst2").score(np.array([[0.0, np.nan]]), np.array([1]))


def test_the_headline_metric_comes_first():
    headline = {name: task.metrics[0] for name, task in GLUE.items()}
    assert headline == {
        "cola": "matthews",
        "mrpc": "f1",
        "qqp": "f1",
        "stsb": "pearson",
        **dict.fromkeys(("sst2", "mnli", "mnli-mm", "qnli", "rte", "wnli"), "accuracy"),
    }


def test_num_labels():
    task = Task("t", ("text",), ("a", "b", "c"), EMPTY, EMPTY, ("accuracy",))
    assert task.num_labels == 3 and not task.is_regression
    assert glue("stsb").num_labels == 1 and glue("stsb").is_regression
