import csv
import json

import pytest

from kaprune_edge.tasks import load_task
from kaprune_runtime.errors import InputError


def spec(folder, train, evaluation, kind="csv"):
    (folder / f"train.{kind}").write_bytes(train if isinstance(train, bytes) else train.encode())
    (folder / f"eval.{kind}").write_bytes(
        evaluation if isinstance(evaluation, bytes) else evaluation.encode()
    )
    return f"{kind}:{folder}/train.{kind},{folder}/eval.{kind}"


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_named_classes_in_alphabetic_order(tmp_path):
    task = load_task(
        spec(tmp_path, "text,label\ngreat,pos\nbad,neg\nso so,mixed\n", "text,label\nfine,pos\n")
    )
    assert task.name == "csv:train.csv,eval.csv"
    assert task.text_columns == ("text",)
    assert task.label_names == ("mixed", "neg", "pos")
    assert task.train["text"][:] == ["great", "bad", "so so"]
    assert task.train["label"][:] == [2, 1, 0]
    assert task.evaluation[:] == {"text": ["fine"], "label": [2]}
    assert task.metrics == ("accuracy",)


def test_whole_numbers_are_classes_in_numeric_order(tmp_path):
    train = jsonl({"sentence": "a", "label": 10}, {"sentence": "b", "label": 9})
    task = load_task(spec(tmp_path, train, jsonl({"sentence": "c", "label": 9}), "jsonl"))
    assert task.label_names == ("9", "10")
    assert task.train["label"][:] == [1, 0]
    assert task.metrics == ("accuracy", "f1")
    assert not task.is_regression and task.num_labels == 2


def test_other_numbers_are_values(tmp_path):
    task = load_task(spec(tmp_path, "text,label\na,1\nb,2.5\n", "text,label\nc,-3e-1\n"))
    assert task.is_regression and task.num_labels == 1 and task.label_names == ()
    assert task.train["label"][:] == [1.0, 2.5]
    assert task.evaluation["label"][:] == [-0.3]
    assert task.metrics == ("pearson", "spearman")


@pytest.mark.parametrize(
    "header, expected",
    [
        ("sentence1,sentence2", ("sentence1", "sentence2")),
        ("text_b,text_a", ("text_a", "text_b")),
        ("premise,hypothesis", ("premise", "hypothesis")),
        ("question1,question2", ("question1", "question2")),
        ("question,sentence", ("question", "sentence")),
        ("id,text", ("text",)),
        ("sentence,id", ("sentence",)),
    ],
)
def test_text_columns_are_found_by_name(tmp_path, header, expected):
    task = load_task(spec(tmp_path, f"{header},label\nA,B,x\nC,D,y\n", f"{header},label\nE,F,x\n"))
    assert task.text_columns == expected
    assert set(task.train.column_names) == {*expected, "label"}
    first = dict(zip(header.split(","), "AB", strict=True))
    assert [task.train[0][column] for column in expected] == [first[column] for column in expected]


def test_csv_keeps_commas_quotes_line_breaks_and_words_that_look_missing(tmp_path):
    texts = [
        'say "no", please',
        "two\nlines",
        "NA",
        "null",
        "  spaced ",
        "line\u2028separator",
        "nul\x85l",
        "",
    ]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["text", "label"], *([text, i % 2] for i, text in enumerate(texts))])
    task = load_task(f"csv:{tmp_path}/t.csv,{tmp_path}/t.csv")
    assert task.train["text"][:] == texts
    assert task.evaluation["label"][:] == [0, 1] * 4


def test_jsonl_keeps_unicode_and_skips_blank_lines(tmp_path):
    rows = [{"text": "naïve\u2028☕", "label": True}, {"text": "b", "label": False}]
    train = "\n".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows)
    task = load_task(spec(tmp_path, train, train, "jsonl"))
    assert task.train["text"][:] == ["naïve\u2028☕", "b"]
    assert task.label_names == ("False", "True")


GOOD = "text,label\na,x\nb,y\n"


@pytest.mark.parametrize(
    "train, evaluation, message",
    [
        (GOOD, "text,label\na,z\n", "eval.csv has the unknown label 'z'; it must be one of x, y"),
        (GOOD, "sentence,label\na,x\n", "eval.csv has no column 'text', only 'sentence', 'label'"),
        ("text,kind\na,x\n", GOOD, "train.csv has no column 'label', only 'text', 'kind'"),
        ("body,label\na,x\n", GOOD, "train.csv has no text column, only 'body', 'label'"),
        ("text,label\na,x\nb,\n", GOOD, "line 3 of .*train.csv has no label"),
        ("text,label\na,x\nb,y\na, b,y\n", GOOD, "line 4 of .*train.csv has 3 columns instead of 2"),
        ('text,label\na,x\n"b,y\n', GOOD, "line 3 of .*train.csv is not CSV"),
        ("", GOOD, "train.csv is empty"),
        ("text,label\n", GOOD, "train.csv has no rows"),
        (GOOD, "text,label\n", "no evaluation rows"),
        (b"text,label\na,x\n\xff,y\n", GOOD, "line 3 of .*train.csv is not UTF-8"),
        ("text,label\na,x\nb,x\n", "text,label\na,x\n", "all have the same label"),
        ("text,label\na,0.5\nb,high\n", GOOD, "labels of csv:.* mix values such as 0.5 with 'high'"),
    ],
)
def test_bad_csv_is_refused(tmp_path, train, evaluation, message):
    with pytest.raises(InputError, match=message):
        load_task(spec(tmp_path, train, evaluation))


@pytest.mark.parametrize(
    "train, message",
    [
        ('{"text": "a", "label": 1}\n{"text": ', "line 2 of .*train.jsonl is not JSON"),
        ('["a", 1]\n', "line 1 of .*train.jsonl is no JSON object"),
        (jsonl({"text": "a", "label": 1}, {"text": "b", "label": None}), "line 2 of .* has no 'label'"),
        ('{"text": "a", "label": NaN}', "line 1 of .* has no 'label'"),
        (jsonl({"text": "a", "label": 1}, {"text": None, "label": 0}), "line 2 of .* has no 'text'"),
        (jsonl({"text": ["a"], "label": 1}), "line 1 of .* has a list for its 'text'"),
        (
            jsonl({"text": 3.50, "label": 1}),
            "line 1 of .* has a number for its 'text'; give a text in quotes",
        ),
        (jsonl({"body": "a", "label": 1}), "has no text column, only 'body', 'label'"),
    ],
)
def test_bad_jsonl_is_refused(tmp_path, train, message):
    with pytest.raises(InputError, match=message):
        load_task(spec(tmp_path, train, jsonl({"text": "a", "label": 1}), "jsonl"))


def test_missing_and_unreadable_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*absent.csv"):
        load_task(f"csv:{tmp_path}/absent.csv,{tmp_path}/eval.csv")
    with pytest.raises(InputError, match="is a folder; give a file"):
        load_task(f"jsonl:{tmp_path},{tmp_path}")


@pytest.mark.parametrize("paths", ["a.csv,b.csv,c.csv", ",eval.csv", " ", ""])
def test_a_table_task_names_one_file_or_two(paths):
    with pytest.raises(InputError, match="must name one file or two files, csv:FILE or csv:TRAIN,EVAL"):
        load_task(f"csv:{paths}")


def test_paths_may_hold_commas_spaces_and_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "my, own"
    folder.mkdir()
    for name in ("a,b.csv", "c.csv"):
        (folder / name).write_text(GOOD)
    for paths in (f"{folder}/a,b.csv,{folder}/c.csv", "~/my, own/a,b.csv, ~/my, own/c.csv"):
        assert load_task(f"csv:{paths}").name == "csv:a,b.csv,c.csv"
    with pytest.raises(InputError, match="must name one file or two files"):
        load_task(f"csv:{folder}/a,b.csv,{folder}/absent.csv")
    with pytest.raises(
        InputError, match=r"there is no home folder for ~no-such-user/a.csv; give the whole path"
    ):
        load_task("csv:~no-such-user/a.csv,b.csv")
