"""The metrics of GLUE (Wang et al., 2019), as fractions in 0..1 or correlations in -1..1."""

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef


def _correlation(correlate: Callable) -> Callable[[np.ndarray, np.ndarray], float]:
    def score(predictions: np.ndarray, labels: np.ndarray) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            correlation = correlate(predictions, labels).statistic
        return 0.0 if np.isnan(correlation) else correlation

    return score


METRICS: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda predictions, labels: accuracy_score(labels, predictions),
    "agreement": lambda predictions, labels: accuracy_score(labels, predictions),
    "f1": lambda predictions, labels: f1_score(labels, predictions, zero_division=0),
    "matthews": lambda predictions, labels: matthews_corrcoef(labels, predictions),
    "pearson": _correlation(pearsonr),
    "spearman": _correlation(spearmanr),
}
"""Name -> function of predictions [n] (class ids or values) and labels [n].

F1 takes class 1 as the positive one. Agreement is with a teacher, whose answers are the labels. The
correlation with constant predictions is 0.
"""

CORRELATIONS = frozenset({"matthews", "pearson", "spearman"})
"""Metrics in -1..1; all others are fractions."""


def shown(name: str, value: float) -> str:
    """Write a score: a correlation as it is, a fraction in per cent."""
    return f"{value:.3f}" if name in CORRELATIONS else f"{100 * value:.1f}"
