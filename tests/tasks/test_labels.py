"""Classes or values: what the labels of the user's own files are, and which are none."""

import json
import os
import subprocess
import sys

import pytest

from kaprune_edge.tasks import load_task
from kaprune_runtime.errors import InputError


@pytest.fixture
def load(tmp_path):
    """Load a task from labels; JSON lines unless all are text."""

    def load(train, evaluation=None, kind="csv"):
        for side, labels in (("train", train), ("eval", train if evaluation is None else evaluation)):
            rows = [f"t{number}" for number in range(len(labels))]
            if kind == "csv":
                lines = ["text,label", *(f"{text},{label}" for text, label in zip(rows, labels, strict=True))]
            else:
                lines = [
                    json.dumps({"text": text, "label": label})
                    for text, label in zip(rows, labels, strict=True)
                ]
            (tmp_path / f"{side}.{kind}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return load_task(f"{kind}:{tmp_path}/train.{kind},{tmp_path}/eval.{kind}")

    return load


@pytest.mark.parametrize(
    ("labels", "names", "ids"),
    [
        (["0.0", "1.0", "1.0"], ("0", "1"), [0, 1, 1]),
        (["10.0", "9", "9.0", "10"], ("9", "10"), [1, 0, 0, 1]),
        (["1.000e+00", "0.000e+00"], ("0", "1"), [1, 0]),
        (["-1", "0", "1"], ("-1", "0", "1"), [0, 1, 2]),
        (["02", "10", "01"], ("01", "02", "10"), [1, 2, 0]),
        (["5.", "+3"], ("+3", "5"), [1, 0]),
        (["none", "NA-1", "nano"], ("NA-1", "nano", "none"), [2, 0, 1]),
        (["1", "2", "other"], ("1", "2", "other"), [0, 1, 2]),
        (["true", "false"], ("false", "true"), [1, 0]),
        (["123456789012345678901", "123456789012345678902"], None, [0, 1]),
    ],
)
def test_classes(load, labels, names, ids):
    task = load(labels)
    assert not task.is_regression
    assert task.label_names == (names or tuple(labels))
    assert task.train["label"][:] == ids


@pytest.mark.parametrize("labels", [["0.5", "1"], ["1e-3", "-2"], [".5", "3.0", "0.50"]])
def test_values(load, labels):
    task = load(labels)
    assert task.is_regression and task.train["label"][:] == [float(label) for label in labels]


@pytest.mark.parametrize("labels", [[0.0, 1.0], [0, 1], ["0", "1.0"], [1.0, "0"]])
def test_numbers_of_json_are_those_of_csv(load, labels):
    assert load(labels, [1, 0], kind="jsonl").label_names == ("0", "1")


def test_training_rows_tell_the_kind(load):
    assert load(["0", "1"], ["1.0", "0.0", "0"]).evaluation["label"][:] == [1, 0, 0]
    assert load(["0.5", "1"], ["1", "2"]).is_regression
    with pytest.raises(InputError, match=r"eval.csv has the unknown label '2.5'; it must be one of 1, 2"):
        load(["1", "2"], ["2.5"])
    with pytest.raises(InputError, match="has values to learn but 'good' to be judged on"):
        load(["0.5", "1"], ["good"])


@pytest.mark.parametrize("label", ["", " ", "nan", "NaN", "null", "None", "NA", "N/A", "<NA>", "NaT"])
@pytest.mark.parametrize("others", [["good", "bad"], ["0", "1.0"], ["0.5", "2"]])
def test_a_missing_label_is_no_class(load, label, others):
    with pytest.raises(InputError, match=r"line 4 of .*train.csv has (no label|the label .* write for none)"):
        load([*others, label, *others])
    with pytest.raises(InputError, match=r"line 4 of .*eval.csv has"):
        load(others, [*others, label])


@pytest.mark.parametrize(
    ("label", "says"),
    [
        (None, "has no 'label'"),
        (float("nan"), "has no 'label'"),
        (["a", "b"], r'has a list of labels, \["a", "b"\]; models .*\(multi-label\) cannot be trained yet'),
        (["a"], "has a list of labels"),
        ("['a', 'b']", "has a list of labels"),
        ({"a": 1}, "has an object for its 'label'"),
    ],
)
def test_labels_of_json_that_are_none(load, label, says):
    with pytest.raises(InputError, match=f"line 2 of .*{says}"):
        load(["a", label], kind="jsonl")


@pytest.mark.parametrize(
    ("train", "evaluation"),
    [
        (["1", "01", "0"], None),
        (["1.0", "01", "0"], None),
        (["good", "Good", "bad"], None),
        (["good", "bad"], ["GOOD"]),
        (["very  good", "very good"], None),
        (["caf\u00e9", "cafe\u0301"], None),
        (["True", "true"], None),
    ],
)
def test_labels_that_may_be_one_class_or_two_are_refused(load, train, evaluation):
    with pytest.raises(
        InputError, match=r"the labels '.*' and '.*' of csv:.* differ in case, white space or"
    ):
        load(train, evaluation)


def test_numbers_that_cannot_be_told_are_refused(load):
    assert len(load([str(row // 2) for row in range(60)]).label_names) == 30
    with pytest.raises(InputError, match="60 different whole numbers for labels on 60 training rows"):
        load([str(row) for row in range(60)])
    with pytest.raises(InputError, match=r"such as '3,5' hold a comma; write numbers with a decimal point"):
        load(["3,5", "4,0"], kind="jsonl")
    with pytest.raises(InputError, match=r"mix values such as 0.5 with 'inf'"):
        load(["0.5", "inf"])


def test_the_order_of_classes_does_not_follow_the_hash_seed(tmp_path):
    labels = ["01", "1.5x", "1", "b", "B-", "a", "10", "2"]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"text": "t", "label": label}) + "\n" for label in labels if label != "01")
    )
    (tmp_path / "tied.jsonl").write_text(
        "".join(json.dumps({"text": "t", "label": label}) + "\n" for label in labels)
    )
    script = (
        "import sys\nfrom kaprune_edge.tasks import load_task\n"
        "from kaprune_runtime.errors import InputError\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(load_task(f'jsonl:{path},{path}').label_names)\n"
        "    except InputError as error: print(error)"
    )
    paths = [str(tmp_path / "rows.jsonl"), str(tmp_path / "tied.jsonl")]
    told = [
        subprocess.run(
            [sys.executable, "-c", script, *paths],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2)
    ]
    assert told[0] == told[1] == told[2]
    assert told[0].startswith("('1', '1.5x', '10', '2', 'B-', 'a', 'b')\nthe labels '01' and '1' of")
