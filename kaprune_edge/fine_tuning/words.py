"""A bag of words as a baseline: a teacher has to be better."""

import numpy as np
from datasets import Dataset
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from kaprune_edge.fine_tuning.probe import headline
from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task

_STRENGTHS = (0.3, 1.0, 3.0)


def score_words(task: Task, progress: Progress) -> float:
    """Fit ridge regression on weighted counts of words and word pairs (TF-IDF).

    Args:
        task: Its evaluation rows are those held out.
        progress: Told of every fit.

    Returns:
        The headline metric on the rows held out, at the best regularization.
    """
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    train, held = (
        words.fit_transform(_texts(task.train, task)),
        words.transform(_texts(task.evaluation, task)),
    )
    labels, held_labels = (np.asarray(rows["label"]) for rows in (task.train, task.evaluation))
    targets = labels if task.is_regression else np.eye(task.num_labels)[labels]
    best = -np.inf
    progress.start("bag of words", len(_STRENGTHS))
    for done, strength in enumerate(_STRENGTHS, 1):
        model = Ridge(alpha=strength, solver="sparse_cg", tol=1e-3).fit(train, targets)
        logits = model.predict(held).reshape(len(held_labels), -1)
        best = max(best, headline(task, logits, held_labels))
        progress.advance(done, held_out=best)
    return best


def _texts(rows: Dataset, task: Task) -> list[str]:
    return [" ".join(texts) for texts in zip(*(rows[column] for column in task.text_columns), strict=True)]
