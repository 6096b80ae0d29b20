import pytest

from kaprune_edge.tasks.answering import score_answers


@pytest.mark.parametrize(
    ("told", "wanted", "f1", "exact"),
    [
        ("The Eiffel Tower!", ["eiffel  tower"], 1, 1),
        ("Eiffel Tower in Paris", ["the Eiffel Tower"], 2 * 2 / (4 + 2), 0),
        ("tower tower", ["tower"], 2 * 1 / (2 + 1), 0),
        ("Rome", ["Paris", "in Rome"], 2 * 1 / (1 + 2), 0),
        ("Rome", ["Paris", "Rome."], 1, 1),
        ("", [], 1, 1),
        ("Rome", [], 0, 0),
        ("", ["Rome"], 0, 0),
        ("the", ["Rome"], 0, 0),
    ],
)
def test_one_answer_by_hand(told, wanted, f1, exact):
    assert score_answers([told], [wanted]) == {"f1": pytest.approx(f1), "exact_match": exact}


def test_scores_are_means():
    assert score_answers(["a b", "c"], [["b c"], ["c"]]) == {"f1": pytest.approx(5 / 6), "exact_match": 0.5}
