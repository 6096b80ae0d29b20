"""The embedded default task: is a sentence from a movie review positive?"""

from hashlib import sha256

from datasets import Dataset

from kaprune_edge.assets import movie_reviews
from kaprune_edge.tasks.task import Task, rows

EVALUATION_SHARE = 0.2


def load_movie_reviews() -> Task:
    """Load 10,605 rated sentences from movie reviews (Hutto and Gilbert, ICWSM 2014).

    A sentence is positive when the mean of its human ratings is above 0. About a fifth of the sentences,
    chosen by their hash, are for evaluation, so equal sentences are never on both sides.

    Raises:
        KapruneError: The data are not in the cache and cannot be fetched.
    """
    train: list[tuple[str, int]] = []
    evaluation: list[tuple[str, int]] = []
    for line in movie_reviews().read_text(encoding="utf-8").splitlines():
        _, rating, sentence = line.split("\t")
        side = evaluation if _position(sentence) < EVALUATION_SHARE else train
        side.append((sentence, int(float(rating) > 0)))
    return Task(
        name="demo/movie-reviews",
        text_columns=("sentence",),
        label_names=("negative", "positive"),
        train=_table(train),
        evaluation=_table(evaluation),
        metrics=("accuracy", "f1"),
    )


def _position(sentence: str) -> float:
    """Place a sentence in 0..1 by its hash."""
    return int.from_bytes(sha256(sentence.encode()).digest()[:4]) / 2**32


def _table(reviews: list[tuple[str, int]]) -> Dataset:
    return rows({"sentence": [sentence for sentence, _ in reviews]}, [label for _, label in reviews])
