import pytest

from kaprune_edge.tasks.tagging import score_tags
from kaprune_runtime.tagging import find_spans


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O B-PER I-PER O", [("PER", 1, 3)]),
        ("I-PER I-PER B-PER I-LOC", [("PER", 0, 2), ("PER", 2, 3), ("LOC", 3, 4)]),
        ("B-PER B-PER I-LOC O I-LOC", [("PER", 0, 1), ("PER", 1, 2), ("LOC", 2, 3), ("LOC", 4, 5)]),
        ("S-PER B-PER I-PER E-PER I-PER", [("PER", 0, 1), ("PER", 1, 4), ("PER", 4, 5)]),
        ("U-LOC B-LOC L-LOC L-LOC", [("LOC", 0, 1), ("LOC", 1, 3), ("LOC", 3, 4)]),
        ("NN NN O VB", [("NN", 0, 2), ("VB", 3, 4)]),
        ("O", []),
        ("", []),
    ],
)
def test_entities_of_every_scheme(tags, spans):
    assert find_spans(tags.split()) == spans


def test_scores_by_hand():
    """Of four real entities two are found, one has a wrong end; one is told that is none."""
    wanted = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O", "O", "B-LOC"]]
    told = [["B-PER", "O", "O", "B-LOC"], ["B-ORG", "O", "B-PER", "O"]]
    scores = score_tags(told, wanted)
    assert scores["precision"] == 2 / 4
    assert scores["recall"] == 2 / 4
    assert scores["f1"] == pytest.approx(0.5)
    assert scores["accuracy"] == 5 / 8


def test_nothing_found_scores_nothing():
    assert score_tags([["O"]], [["B-PER"]]) == {"f1": 0, "precision": 0, "recall": 0, "accuracy": 0}
