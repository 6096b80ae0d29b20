"""A linear probe: logistic regression, or ridge regression on values, over fixed features."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Inverse regularization, as scikit-learn's C, of features scaled to a standard deviation of 1."""
_PATIENCE = 2
_MOST_ITERATIONS = 200
_NEVER = -100.0
"""Logit of a class that no row has."""


@dataclass(frozen=True)
class Probe:
    """Logits, or a value, as a linear function of features."""

    weight: np.ndarray
    """[labels, width]."""
    bias: np.ndarray
    """[labels]."""
    score: float
    """The task's headline metric on the rows held out."""

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Apply it to features [rows, width]."""
        return np.asarray(features @ self.weight.T + self.bias)


def fit_probe(
    features: Sequence[np.ndarray], labels: Sequence[np.ndarray], task: Task, progress: Progress
) -> Probe:
    """Fit a probe on the first part of the rows, its regularization chosen on the other.

    Args:
        features: float32 [rows, width], of rows to learn from and of rows held out.
        labels: Class ids or values of both.
        task: Says whether labels are values, and how to score.
        progress: Told of every fit.

    Returns:
        The best probe; of equal ones the most regularized.
    """
    train, held = (part.astype(np.float64) for part in features)
    centre, scale = train.mean(0), float(train.std(0).mean()) or 1.0
    fit = _fit_values if task.is_regression else _fit_classes
    best, worse = None, 0
    progress.start("linear probe", len(STRENGTHS))
    for done, strength in enumerate(STRENGTHS, 1):
        weight, bias = fit((train - centre) / scale, labels[0], strength, task.num_labels)
        weight = weight / scale
        probe = Probe(weight.astype(np.float32), (bias - weight @ centre).astype(np.float32), 0)
        score = headline(task, probe.logits(held), labels[1])
        if best is None or score > best.score:
            best, worse = Probe(probe.weight, probe.bias, score), 0
        else:
            worse += 1
        progress.advance(done, held_out=best.score)
        if worse == _PATIENCE:
            break
    assert best is not None
    return best


def headline(task: Task, logits: np.ndarray, labels: np.ndarray) -> float:
    """Score logits by the task's first metric."""
    return next(iter(task.score(logits, labels).values()))


def _fit_classes(
    features: np.ndarray, labels: np.ndarray, strength: float, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    weights, biases = np.zeros((classes, features.shape[1])), np.full(classes, _NEVER)
    present = np.unique(labels)
    if len(present) == 1:
        biases[present] = 0
        return weights, biases
    model = LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an early stop, and of few rows a class
        model.fit(features, labels)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # of two classes scikit-learn gives the difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weights[present], biases[present] = weight, bias
    return weights, biases


def _fit_values(
    features: np.ndarray, labels: np.ndarray, strength: float, _: int
) -> tuple[np.ndarray, np.ndarray]:
    model = Ridge(alpha=1 / strength).fit(features, labels)
    return model.coef_[None], np.asarray([model.intercept_])
