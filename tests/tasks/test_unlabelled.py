import pytest

from kaprune_edge.tasks import load_task
from kaprune_edge.tasks.tables import read_unlabelled
from kaprune_runtime.errors import InputError


@pytest.fixture
def load(tmp_path):
    def load(columns, labels):
        rows = [columns, *(f"{columns.replace('label', label)}" for label in labels)]
        (tmp_path / "task.csv").write_text("\n".join(rows))
        return load_task(f"csv:{tmp_path}/task.csv,{tmp_path}/task.csv")

    return load


@pytest.mark.parametrize(
    "name, content",
    [
        ("more.txt", "one film\r\n\nanother, good\n"),
        ("more", "one film\n \n another, good"),
        ("more.csv", 'id,text\n1,one film\n2,"another, good"\n'),
        ("more.jsonl", '{"text": "one film", "label": "mixed"}\n{"text": "another, good"}\n'),
    ],
)
def test_texts_join_the_rows_of_their_task(load, tmp_path, name, content):
    task = load("text,label", ["good", "bad"])
    (tmp_path / name).write_text(content)
    more = read_unlabelled(tmp_path / name, task)
    assert more["text"][:] == ["one film", "another, good"]
    assert more.features == task.train.features


def test_pairs_come_in_columns_and_values_are_no_classes(load, tmp_path):
    task = load("sentence1,sentence2,label", ["0.5", "2"])
    (tmp_path / "more.csv").write_text("sentence2,sentence1\nb,a\n")
    more = read_unlabelled(tmp_path / "more.csv", task)
    assert (more["sentence1"][:], more["sentence2"][:]) == (["a"], ["b"])
    assert more.features == task.train.features


@pytest.mark.parametrize(
    "columns, name, content, says",
    [
        (
            "sentence1,sentence2,label",
            "more.txt",
            "a b",
            "pairs of texts; give a .csv or .jsonl .* sentence1 and",
        ),
        (
            "text,label",
            "more.csv",
            "review\nfine\n",
            "more.csv has no column 'text', only 'review'; name the one with the texts by --text-column",
        ),
        ("text,label", "more.csv", "text\n", "more.csv has no rows; give a file with texts"),
        ("text,label", "more.jsonl", "fine", "line 1 of .* is not JSON"),
    ],
)
def test_other_files_are_refused(load, tmp_path, columns, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says):
        read_unlabelled(tmp_path / name, load(columns, ["good", "bad"]))


def test_tagged_words_need_their_tags(tmp_path):
    words = tmp_path / "words.jsonl"
    words.write_text('{"tokens": ["a", "film"], "tags": ["O", "B-X"]}\n' * 8)
    with pytest.raises(InputError, match="answers inside its texts"):
        read_unlabelled(words, load_task(f"tags:{words},{words}"))
