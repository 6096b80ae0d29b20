"""What id2label, label2id, num_labels and problem_type of a config.json may say: here and on a device."""

import pytest

from kaprune_edge.checkpoints import load_config
from kaprune_edge.checkpoints.weights import load_model
from kaprune_runtime.deployment import read_config
from kaprune_runtime.errors import InputError

RIGHT = [
    (
        {"id2label": {"0": "a", "1": "b", "10": "k", **{str(n): f"l{n}" for n in range(2, 10)}}},
        ("a", "b", *(f"l{n}" for n in range(2, 10)), "k"),
    ),
    ({"id2label": {"1": "b", "0": "a"}}, ("a", "b")),
    ({"id2label": None}, ("LABEL_0", "LABEL_1")),
    ({"id2label": None, "num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
    ({"id2label": {"0": 1, "1": 2.5}}, ("1", "2.5")),
    ({"id2label": {"0": "a", "1": "b"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}, ("a", "b")),
    ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": "0", "b": "1"}}, ("a", "b")),
]
WRONG = [
    ({"id2label": {"1": "a", "2": "b"}}, "names the outputs 1, 2; .* counted from 0"),
    ({"id2label": {"0": "a", "2": "b"}}, "names the outputs 0, 2; "),
    ({"id2label": {}}, "names the outputs nothing"),
    ({"id2label": {"0": "a", "1": "a"}}, "has the name 'a' twice"),
    ({"id2label": {"0": "a", "00": "b"}}, "names output 0 twice"),
    ({"id2label": ["a", "b"]}, "id2label in .* is no object"),
    ({"id2label": {"first": "a", "second": "b"}}, "has the key 'first'"),
    ({"id2label": {"0": "a", "1": None}}, "calls output 1 None"),
    ({"id2label": {"0": "a", "1": ["b"]}}, "calls output 1 "),
    ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}, "contradicts itself.*output 0 is 'a'"),
    ({"num_labels": 0}, "num_labels in .* is 0"),
    ({"num_labels": True}, "num_labels in .* is True"),
    ({"num_labels": "three"}, "num_labels in .* is 'three'"),
    ({"problem_type": "sentiment"}, "problem_type in .* is 'sentiment'"),
    (
        {"problem_type": "single_label_classification", "num_labels": 1},
        "one label and the problem_type single",
    ),
]


@pytest.mark.parametrize(("changes", "labels"), RIGHT)
def test_labels_are_in_the_order_of_their_numbers(edited, changes, labels):
    folder = edited(changes)
    assert tuple(load_config(folder).id2label.values()) == labels
    assert read_config(folder).labels == labels


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_impossible_labels_are_refused_with_the_file(edited, changes, message):
    folder = edited(changes)
    for read in (load_config, read_config):
        with pytest.raises(InputError, match=message) as caught:
            read(folder)
        assert f"{folder}/config.json" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{}, {"id2label": {"0": "a", "1": "b"}}, {"num_labels": 4}])
@pytest.mark.parametrize("model_type", ["bert", "roberta"])
def test_fewer_names_than_rows_are_refused_with_the_file(edited, changes, model_type):
    folder = edited({"id2label": None, "label2id": None, **changes}, model_type, num_labels=3)
    with pytest.raises(
        InputError, match=rf"beside {folder}/config.json has 3 rows.* an id2label with 3 names"
    ):
        load_model(folder)
