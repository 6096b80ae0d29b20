"""One file of rows: the same rows of every label are for evaluation, whoever asks."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kaprune_edge.tasks import load_task
from kaprune_runtime.errors import InputError

ROWS = [(f"film {row}", "good" if row % 4 else "bad") for row in range(100)]


def write_delimited(path, rows, delimiter=","):
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("text", "label"), *rows])


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))


def write_parquet(path, rows):
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"text": texts, "label": labels}), path)


WRITERS = {
    "csv": write_delimited,
    "tsv": lambda path, rows: write_delimited(path, rows, "\t"),
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


@pytest.fixture
def load(tmp_path):
    def load(rows, kind="csv", **options):
        WRITERS[kind](path := tmp_path / f"all.{kind}", rows)
        return load_task(f"{kind}:{path}", **options)

    return load


def rows_of(task, split):
    return [(row["text"], task.label_names[row["label"]]) for row in split]


@pytest.mark.parametrize("kind", WRITERS)
def test_every_row_is_on_one_side_and_every_label_has_its_share(load, kind):
    task = load(ROWS, kind)
    train, evaluation = rows_of(task, task.train), rows_of(task, task.evaluation)
    assert task.name == f"{kind}:all.{kind}"
    assert sorted([*train, *evaluation]) == sorted(ROWS)
    assert len(evaluation) == 20
    assert [label for _, label in evaluation].count("bad") == 5


def test_the_rows_are_the_same_whoever_asks(load):
    texts = [row["text"] for row in load(ROWS).evaluation]
    assert [row["text"] for row in load(ROWS, "parquet", train_rows=30).evaluation] == texts
    # A release that splits otherwise would judge models on rows that they learnt from.
    assert texts[:6] == ["film 0", "film 2", "film 10", "film 16", "film 21", "film 23"]


def test_values_are_split_evenly(load):
    task = load([(f"film {row}", row / 8) for row in range(100)])
    assert task.is_regression
    assert min(task.evaluation["label"]) < 1 < 11 < max(task.evaluation["label"])


def test_equal_texts_are_on_one_side(load):
    task = load([*ROWS, *ROWS[:50], *[("film 7", "bad")] * 9])
    train, evaluation = {*task.train["text"]}, {*task.evaluation["text"]}
    assert not train & evaluation
    assert len(train) + len(evaluation) == 100
    assert len(task.train) + len(task.evaluation) == 159


def test_a_text_of_many_rows_counts_once(load):
    task = load([*ROWS, *[("film 7", "good")] * 400])
    assert len({*task.evaluation["text"]}) == 20


def test_one_line_tells_how_many_rows_judge(load, caplog, tmp_path):
    load(ROWS)
    assert caplog.messages == [
        "csv:all.csv is one file: 20 of its 100 rows are for evaluation, the same ones in every command"
    ]
    write_delimited(odd := tmp_path / "all\x1b[2J.csv", ROWS)
    load_task(f"csv:{odd}")
    assert caplog.messages[1].startswith("csv:all\\x1b[2J.csv is one file")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            ROWS[:9],
            r"has 9 different texts, too few to split \(at least 10\); give more, or two files, csv:TR",
        ),
        ([ROWS[0], ROWS[1]] * 20, "has 2 different texts, too few to split"),
        (
            [(f"film {row}", f"kind {row}") for row in range(12)],
            r"has 12 .* too few to split \(at least 24\)",
        ),
        ([(text, "good") for text, _ in ROWS], "all have the same label; give rows of every class"),
        ([], "all.csv has no rows; give a file with rows"),
    ],
)
def test_a_file_that_cannot_be_split(load, caplog, rows, says):
    with pytest.raises(InputError, match=says):
        load(rows)
    assert not caplog.messages


def test_names_of_files_may_hold_commas(tmp_path):
    write_delimited(tmp_path / "a,b.csv", ROWS)
    assert load_task(f"csv:{tmp_path}/a,b.csv").name == "csv:a,b.csv"
    with pytest.raises(InputError, match=r"there is no file .*/gone.csv; check the path"):
        load_task(f"csv:{tmp_path}/gone.csv")
    with pytest.raises(InputError, match=r"cannot read c+ \(File name too long\); check the path"):
        load_task(f"csv:{'c' * 300},d")


@pytest.mark.parametrize("kind", ["tags", "squad"])
def test_tags_and_questions_come_in_two_files(tmp_path, kind):
    with pytest.raises(InputError, match=f"must name two files, {kind}:TRAIN,EVAL"):
        load_task(f"{kind}:{tmp_path}/all")
