"""Files of every make that people have: read as they are meant, or one line that says what they are."""

import gzip
import json
import os
import zipfile

import pytest

from kaprune_edge.tasks import load_task
from kaprune_edge.tasks.tables import read_unlabelled
from kaprune_runtime.errors import InputError

ROWS = [("good, warm; and\tfunny", "pos"), ("bad", "neg"), ("two\nlines", "neg"), ('a "quote"', "pos")]


@pytest.fixture
def load(tmp_path):
    """Load a task whose two files have the same content."""

    def load(content, kind="csv", name="rows"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_task(f"{kind}:{file},{file}")

    return load


def rows_of(task):
    names = [task.label_names[label] for label in task.train["label"]]
    return list(zip(task.train["text"], names, strict=True))


def quoted(rows, delimiter=",", header=("text", "label"), end="\n"):
    lines = [[f'"{field.replace(chr(34), chr(34) * 2)}"' for field in row] for row in rows]
    return end.join([delimiter.join(header), *(delimiter.join(line) for line in lines), ""])


@pytest.mark.parametrize(
    "content",
    [
        quoted(ROWS),
        quoted(ROWS, ";"),
        quoted(ROWS, "\t"),
        quoted(ROWS, ", "),
        quoted(ROWS, header=("text", " label")),
        quoted(ROWS, header=("Text", "LABEL")),
        quoted(ROWS, header=('"text"', '"label"')),
        "\ufeff" + quoted(ROWS, end="\r\n"),
        "\n\n" + quoted(ROWS) + "\n\n",
    ],
)
def test_every_form_of_csv_has_the_same_rows(load, content):
    assert rows_of(load(content)) == ROWS


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_leave_commas_alone(load, delimiter):
    content = delimiter.join(["id", "text", "label\n"]) + delimiter.join(["1", "well, well, well", "a\n"])
    assert rows_of(load(content + delimiter.join(["2", "no", "b\n"]))) == [
        ("well, well, well", "a"),
        ("no", "b"),
    ]


def test_texts_of_any_length_and_empty_ones_are_rows(load):
    long = "film " * 40_000
    assert rows_of(load(f'text,label\n{long},a\n"",b\n"  ",b\n')) == [(long, "a"), ("", "b"), ("  ", "b")]


def test_keys_of_json_lines_are_columns(load):
    content = (
        '{"Text": "a", "Label ": "x", "more": {"b": [1]}}\r\n\r\n{"Text": "b", "Label ": "y", "n": 1e400}'
    )
    assert rows_of(load(content, "jsonl")) == [("a", "x"), ("b", "y")]


def test_a_whole_character_in_two_escapes_is_text(load):
    content = r'{"text": "\ud83d\ude00 \\ud83d", "label": "x"}' + '\n{"text": "b", "label": "y"}'
    assert rows_of(load(content, "jsonl"))[0] == ("😀 \\ud83d", "x")


def zipped(name):
    def make(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "text,label\n")

    return make


KINDS = [
    (
        lambda path: path.write_bytes(gzip.compress(b"text,label\n")),
        "compressed by gzip; unpack it with gunzip",
    ),
    (zipped("train.csv"), "is a zip archive or an Excel sheet"),
    (zipped("xl/workbook.xml"), r"an Excel sheet \(.xlsx\); unpack it, or save its rows as CSV UTF-8"),
    (
        lambda path: path.write_bytes(b"PAR1\x15\x04"),
        "is a Parquet file; end its name in .parquet, or name it parquet:FILE",
    ),
    (
        lambda path: path.write_text("text,label\na,b\n", "utf-16"),
        "is UTF-16; convert it with iconv -f UTF-16",
    ),
    (
        lambda path: path.write_text("text,label\na,b\n", "utf-16-le"),
        "line 1 of .* holds a NUL byte; .*UTF-16",
    ),
    (
        lambda path: path.write_text("text,label\né,b\n", "latin-1"),
        "line 2 of .* is not UTF-8; convert .*iconv",
    ),
    (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid x\n"), "git lfs pull"),
    (lambda path: path.write_text("<!DOCTYPE html>\n<html>"), "is a web page; download the file itself"),
    (lambda path: path.mkdir(), "is a folder; give a file"),
    (lambda path: os.mkfifo(path), "is a pipe or a device; give a file"),
    (lambda path: path.symlink_to("/dev/zero"), "is a pipe or a device; give a file"),
    (lambda path: path.symlink_to(path), r"cannot read .* \(.*symbolic links\)"),
    (lambda path: None, "there is no file"),
]


@pytest.mark.parametrize("spec", ["csv", "jsonl", "tags", "squad", "unlabelled"])
@pytest.mark.parametrize(("make", "says"), KINDS, ids=[says for _, says in KINDS])
def test_files_of_other_kinds_are_named(tmp_path, load, spec, make, says):
    task = load(quoted(ROWS))
    make(path := tmp_path / "other.txt")
    with pytest.raises(InputError, match=says):
        read_unlabelled(path, task) if spec == "unlabelled" else load_task(f"{spec}:{path},{path}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("text,label,text\na,b,c\n", "has two columns 'text'; leave one, or rename one"),
        ("Text,text,label\na,b,c\n", "has two columns 'text'"),
        (
            "text;sentiment\na;b\n",
            "has no column 'label', only 'text', 'sentiment'; name the one with the labels by --label-column",
        ),
        ("review\tlabel\na\tb\n", "has no text column, only 'review', 'label'; name it"),
        ("text;label\na;b;c\n", "line 2 of .* has 3 columns instead of 2; put texts that hold semicolons or"),
        ('text\tlabel\n"a\tx\nb"\ty\n', "line 2 of .* begins a quoted text of tabs and line breaks"),
        ('text,label\na,b\n"c,d\ne,f\n', "the row that begins on line 3 of .* is not CSV"),
        ('text,label\n"a\nb",c\nd,e,f\n', "line 4 of .* has 3 columns instead of 2"),
    ],
)
def test_csv_that_cannot_be_meant(load, content, says):
    with pytest.raises(InputError, match=says):
        load(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"text": "a", "label": 1}]', "line 1 of .* is no JSON object but begins a list; .* jq -c"),
        ('[\n{"text": "a", "label": 1}\n]', "begins a list"),
        ('{"text": "a",\n"label": 1}', "line 1 of .* is not JSON"),
        ('{"text": "a", "text": "b", "label": 1}', r"has 'text' twice \(from line 1\); leave one"),
        ('{"text": "a", "Text": "b", "label": 1}', "has two columns 'text'"),
        ('\n{"text": "a\\ud83d", "label": 1}', r"line 2 of .* holds half of a character \(\\ud83d, a lone"),
        ('\n{"text": "a", "label": "\\uDE00"}', r"line 2 of .* holds half of a character \(\\uDE00, a lone"),
        ('{"text": 1, "label": 1}', "has a number for its 'text'; give a text in quotes"),
        ('{"text": true, "label": 1}', "has true or false for its 'text'"),
        ('{"text": {"a": 1}, "label": 1}', "has an object for its 'text'"),
        ('{"text": NaN, "label": 1}', "line 1 of .* has no 'text'"),
        (f'{{"text": "a", "label": {"1" * 5000}}}', "line 1 of .* has numbers too long or lists too deep"),
        (f'{{"text": "a", "label": {"[" * 99_999}', "line 1 of .* has numbers too long or lists too deep"),
    ],
)
def test_json_lines_that_cannot_be_meant(load, content, says):
    with pytest.raises(InputError, match=says):
        load(content, "jsonl")


def test_a_half_character_deep_in_a_file_is_found(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"tokens": ["a", "\\ud83d"], "tags": ["O", "B-X"]}\n')
    with pytest.raises(InputError, match=r"line 1 of .* holds half of a character"):
        load_task(f"tags:{tmp_path}/a.jsonl,{tmp_path}/a.jsonl")
    content = {"data": [{"paragraphs": [{"context": "a \ud83d", "qas": []}]}]}
    (tmp_path / "a.json").write_text(json.dumps(content, indent=1))
    with pytest.raises(InputError, match=r"line 6 of .* holds half of a character"):
        load_task(f"squad:{tmp_path}/a.json,{tmp_path}/a.json")


@pytest.mark.parametrize("name", ["more.csv", "more.CSV", "more.tsv", "more.json", "more.jsonl"])
def test_unlabelled_files_are_read_by_their_ending(tmp_path, load, name):
    task = load(quoted(ROWS))
    content = '{"id": 1, "text": "a film"}\n' if "json" in name else "id\ttext\n1\ta film\n"
    (tmp_path / name).write_text(content)
    assert read_unlabelled(tmp_path / name, task)["text"][:] == ["a film"]


def test_lines_of_old_machines_are_lines(tmp_path, load):
    (tmp_path / "more.txt").write_bytes(b"one\rtwo\r\nthree")
    assert read_unlabelled(tmp_path / "more.txt", load(quoted(ROWS)))["text"][:] == ["one", "two", "three"]
