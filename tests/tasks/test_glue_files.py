"""Every GLUE task in the layout of the official download, with the traps of those files."""

from pathlib import Path

import pytest

from kaprune_edge.tasks import load_task
from kaprune_edge.tasks.glue import GLUE
from kaprune_runtime.errors import InputError

MNLI_TRAIN = (
    "index promptID pairID genre s1_binary s2_binary s1_parse s2_parse sentence1 sentence2 label1 gold_label"
)
MNLI_DEV = MNLI_TRAIN.replace("label1", "label1 label2 label3 label4 label5")
STSB = "index genre filename year old_index source1 source2 sentence1 sentence2 score"
QQP = "id qid1 qid2 question1 question2 is_duplicate"
MRPC = ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]


def write(path: Path, *lines, start="", end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((start + end.join("\t".join(line) for line in lines)).encode())


def both(folder: Path, header, *lines):
    for name in ("train.tsv", "dev.tsv"):
        write(folder / name, *([header] if header else []), *lines)


@pytest.fixture
def glue(tmp_path):
    """A GLUE root that holds all nine tasks."""
    both(tmp_path / "CoLA", None, ["gj04", "1", "", 'He said "go.'], ["gj04", "0", "*", "Go he."])
    both(tmp_path / "SST-2", ["sentence", "label"], ['" bad , worse ', "0"], ["good\u2028film ", "1"])
    both(
        tmp_path / "QQP",
        QQP.split(),
        ["1", "2", "3", "Who?", 'Who "?', "1"],
        ["broken"],
        ["4", "5", "6", "A", "B", "0"],
    )
    both(
        tmp_path / "STS-B",
        STSB.split(),
        ["0", "g", "f", "y", "0", "x", "y", "A plane.", "A jet.", "3.800"],
        ["1", "g", "f", "y", "1", "x", "y", "A dog.", "Cheese.", "0"],
    )
    both(
        tmp_path / "QNLI",
        ["index", "question", "sentence", "label"],
        ["0", "Who?", "Me.", "not_entailment"],
        ["1", "Where?", "Here.", "entailment"],
    )
    both(
        tmp_path / "RTE",
        ["index", "sentence1", "sentence2", "label"],
        ["0", "A b.", "A.", "entailment"],
        ["1", "A.", "C.", "not_entailment"],
    )
    both(
        tmp_path / "WNLI",
        ["index", "sentence1", "sentence2", "label"],
        ["0", "A b.", "A.", "1"],
        ["1", "A.", "C.", "0"],
    )
    junk = list("01234567")
    train = [[*junk, "P", "H", "neutral", "neutral"], [*junk, "P", "H2", "x", "contradiction"]]
    write(tmp_path / "MNLI" / "train.tsv", MNLI_TRAIN.split(), *train)
    write(tmp_path / "MNLI" / "dev_matched.tsv", MNLI_DEV.split(), [*junk, "M", "H", *"abcde", "entailment"])
    write(
        tmp_path / "MNLI" / "dev_mismatched.tsv",
        MNLI_DEV.split(),
        [*junk, "MM", "H", *"abcde", "contradiction"],
    )
    mrpc = [MRPC, ["1", "7", "8", 'He said "yes.', "Yes, he said."], ["0", "9", "10", "A.", "B."]]
    write(tmp_path / "MRPC" / "msr_paraphrase_train.txt", *mrpc, start="\ufeff", end="\r\n")
    write(tmp_path / "MRPC" / "msr_paraphrase_test.txt", *mrpc, start="\ufeff", end="\r\n")
    return tmp_path


EXPECTED = {
    "cola": ({"sentence": ['He said "go.', "Go he."]}, [1, 0]),
    "sst2": ({"sentence": ['" bad , worse ', "good\u2028film "]}, [0, 1]),
    "mrpc": ({"sentence1": ['He said "yes.', "A."], "sentence2": ["Yes, he said.", "B."]}, [1, 0]),
    "qqp": ({"question1": ["Who?", "A"], "question2": ['Who "?', "B"]}, [1, 0]),
    "stsb": ({"sentence1": ["A plane.", "A dog."], "sentence2": ["A jet.", "Cheese."]}, [3.8, 0.0]),
    "mnli": ({"premise": ["P", "P"], "hypothesis": ["H", "H2"]}, [1, 2]),
    "mnli-mm": ({"premise": ["P", "P"], "hypothesis": ["H", "H2"]}, [1, 2]),
    "qnli": ({"question": ["Who?", "Where?"], "sentence": ["Me.", "Here."]}, [1, 0]),
    "rte": ({"sentence1": ["A b.", "A."], "sentence2": ["A.", "C."]}, [0, 1]),
    "wnli": ({"sentence1": ["A b.", "A."], "sentence2": ["A.", "C."]}, [1, 0]),
}


def test_every_task_is_covered():
    assert EXPECTED.keys() == GLUE.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_official_layout(glue, name):
    task = load_task(f"glue/{name}:{glue}")
    texts, labels = EXPECTED[name]
    assert task.text_columns == tuple(texts)
    assert task.train[:] == {**texts, "label": labels}
    if not name.startswith("mnli"):
        assert task.evaluation[:] == {**texts, "label": labels}
    assert task.is_regression == (name == "stsb")


def test_mnli_evaluates_on_the_matched_or_the_mismatched_set(glue):
    assert load_task(f"glue/mnli:{glue}").evaluation[:] == {
        "premise": ["M"],
        "hypothesis": ["H"],
        "label": [0],
    }
    assert load_task(f"glue/mnli-mm:{glue}").evaluation[:] == {
        "premise": ["MM"],
        "hypothesis": ["H"],
        "label": [2],
    }


@pytest.mark.parametrize("name, folder", [("cola", "CoLA"), ("mrpc", "MRPC"), ("mnli", "MNLI")])
def test_the_folder_may_be_the_tasks_own(glue, name, folder):
    assert load_task(f"glue/{name}:{glue}/{folder}").train[:] == load_task(f"glue/{name}:{glue}").train[:]


def test_mrpc_prefers_the_benchmarks_own_split_and_names_any_other(glue):
    assert load_task(f"glue/mrpc:{glue}").name == "glue/mrpc (evaluated on msr_paraphrase_test.txt)"
    both(glue / "MRPC", MRPC, ["1", "1", "2", "Dev one.", "Dev two."], ["0", "3", "4", "C.", "D."])
    task = load_task(f"glue/mrpc:{glue}")
    assert task.name == "glue/mrpc"
    assert task.evaluation[0] == {"sentence1": "Dev one.", "sentence2": "Dev two.", "label": 1}


@pytest.mark.parametrize(
    "name, file, lines, message",
    [
        ("sst2", "SST-2/dev.tsv", [["sentence"], ["a"]], "dev.tsv has no column 'label'"),
        (
            "sst2",
            "SST-2/dev.tsv",
            [["sentence", "label"], ["a", "2"]],
            "unknown label '2'; it must be one of 0, 1",
        ),
        ("sst2", "SST-2/dev.tsv", [["sentence", "label"], ["a", ""]], "dev.tsv has the unknown label ''"),
        (
            "sst2",
            "SST-2/dev.tsv",
            [["sentence", "label"], ["a", "1"], ["b"]],
            "line 3 of .*has 1 columns instead of 2",
        ),
        ("sst2", "SST-2/dev.tsv", [["sentence", "label"]], "glue/sst2 has no evaluation rows"),
        ("sst2", "SST-2/train.tsv", [["sentence", "label"], ["a", "1"]], "glue/sst2 all have the same label"),
        (
            "cola",
            "CoLA/train.tsv",
            [["g", "1", "", "a"], ["g", "1", "b"]],
            "line 2 of .*has 3 columns instead of 4",
        ),
        ("rte", "RTE/dev.tsv", [["sentence1", "sentence2", "label"], ["a", "b", "x"]], "unknown label 'x'"),
        (
            "stsb",
            "STS-B/dev.tsv",
            [["sentence1", "sentence2", "score"], ["a", "b", "x"]],
            "a score that is no number",
        ),
        ("rte", "RTE/train.tsv", [], "train.tsv is empty"),
    ],
)
def test_damaged_files_are_refused(glue, name, file, lines, message):
    write(glue / file, *lines)
    with pytest.raises(InputError, match=message):
        load_task(f"glue/{name}:{glue}")


def test_missing_files_are_refused(glue):
    (glue / "RTE" / "dev.tsv").unlink()
    with pytest.raises(InputError, match=r"glue/rte needs train.tsv and dev.tsv in .*RTE or"):
        load_task(f"glue/rte:{glue}")
    with pytest.raises(InputError, match=r"or msr_paraphrase_train.txt and msr_paraphrase_test.txt"):
        load_task(f"glue/mrpc:{glue}/absent")


@pytest.mark.parametrize(
    "spec, message",
    [
        ("glue/squad", "GLUE has no task 'squad'; its tasks are cola, sst2"),
        ("glue", "unknown task 'glue'; use glue/NAME"),
        ("demo/other", "unknown task 'demo/other'"),
        ("", "unknown task ''"),
    ],
)
def test_unknown_tasks_are_refused(spec, message):
    with pytest.raises(InputError, match=message):
        load_task(spec)


def test_train_rows_is_a_fixed_random_subset(tmp_path):
    lines = [[f"sentence {i}", str(i % 2)] for i in range(300)]
    both(tmp_path, ["sentence", "label"], *lines)
    whole, part = load_task(f"glue/sst2:{tmp_path}"), load_task(f"glue/sst2:{tmp_path}", train_rows=40)
    assert part.name == "glue/sst2 (40 of 300 training rows)"
    assert part.train[:] == load_task(f"glue/sst2:{tmp_path}", train_rows=40).train[:]
    chosen = [int(text.split()[1]) for text in part.train["sentence"]]
    assert len(set(chosen)) == 40 and max(chosen) - min(chosen) > 200
    assert part.train["label"][:] == [i % 2 for i in chosen]
    assert part.train.features == whole.train.features
    assert part.evaluation[:] == whole.evaluation[:]


@pytest.mark.parametrize("train_rows", [0, -1, 301])
def test_train_rows_must_be_there(tmp_path, train_rows):
    both(tmp_path, ["sentence", "label"], *([f"sentence {i}", str(i % 2)] for i in range(300)))
    with pytest.raises(InputError, match=f"has 300 training rows, not {train_rows}; ask for 1 to 300"):
        load_task(f"glue/sst2:{tmp_path}", train_rows=train_rows)
