"""Good runs of every command, told to a person and to a machine."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from kaprune_edge.tasks import Columns, load_task

TASK = "--task csv:train.csv,eval.csv"
SHORT = f"{TASK} --max-length 24 --epochs 1"


@pytest.fixture
def run_json(run):
    """Run a command whose standard output is one JSON value."""

    def run_json(line):
        finished = run(line)
        assert finished.code == 0, finished.err
        return json.loads(finished.out)

    return run_json


def test_prune(place, run):
    options = "--teacher-epochs 1 --sparsity 0.75 --pattern 4x1"
    finished = run(f"kaprune-edge prune model {SHORT} {options} -o run")
    assert finished.code == 0
    first, *scores, following = finished.out.splitlines()
    assert first == "run: 25.0% of the encoder's weights kept"
    assert [re.sub(r"\d+\.\d", "N", score) for score in scores] == [
        "  sparse   accuracy N, f1 N",
        "  teacher  accuracy N, f1 N",
    ]
    assert following == "next: kaprune-edge export run --target x86-64 -o deployment"
    assert re.search(r"^prune and train 1/1  loss \d+\.\d+  sparsity 0\.75", finished.err, re.MULTILINE)


def test_a_terminal_sees_a_bar_with_loss_and_sparsity(place, run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    finished = run(f"kaprune-edge prune model {SHORT} --teacher model --sparsity 0.75 -o run")
    last = re.sub(r"\x1b\[[0-9;?]*\w", "", finished.err).rstrip().splitlines()[-1]
    assert re.match(r"prune and train +━+ 1/1 \d+:\d+:\d+ loss \d+\.\d+  sparsity 0\.750", last)


def test_options_win_over_the_recipe(place, run_json):
    Path("recipe.yaml").write_text("model: absent\npattern: 8x1\nsparsity: 0.5\ntraining: {epochs: 7}")
    metrics = run_json(f"kaprune-edge prune model --recipe recipe.yaml {SHORT} --teacher model -o run --json")
    assert (metrics["pattern"], metrics["sparsity"], metrics["steps"]) == ("8x1", 0.5, 1)
    assert metrics == json.loads(Path("run/metrics.json").read_text())


@pytest.fixture
def one_file(place):
    """A file of forty rows in columns of other names, and the options that name them."""
    labels = [("warm and funny", "good"), ("dull and flat", "bad")] * 20
    rows = "".join(f"{row} a {text} film\t{label}\n" for row, (text, label) in enumerate(labels))
    Path("all.tsv").write_text(f"Review\tStars\n{rows}")
    return "tsv:all.tsv --text-column review --label-column stars"


def test_one_file_is_judged_on_rows_that_no_training_saw(one_file, run, run_json, caplog):
    metrics = run_json(
        f"kaprune-edge prune model --task {one_file} --max-length 24 --teacher model --sparsity 0.5 "
        "--one-shot --seed 5 -o run --json"
    )
    assert metrics["train_rows"] == 32
    report = run_json(f"kaprune-edge evaluate run --task {one_file} --max-length 24 --json")
    assert report["rows"] == 8
    assert report["metrics"] == metrics["metrics"]
    columns = yaml.safe_load(Path("run/recipe.yaml").read_text())["columns"]
    assert columns == {"text": ["review"], "label": "stars"}

    assert run(f"kaprune-edge augment {one_file} --model model --copies 1 --seed 9 -o more.jsonl").code == 0
    learnt = {json.loads(line)["review"] for line in Path("more.jsonl").read_text().splitlines()[::2]}
    judged = set(
        load_task("tsv:all.tsv", columns=Columns(text=("review",), label="stars")).evaluation["review"]
    )
    assert len(learnt) == 32 and not learnt & judged
    assert {*caplog.messages} == {
        "tsv:all.tsv is one file: 8 of its 40 rows are for evaluation, the same ones in every command"
    }


def test_columns_are_named_wherever_a_task_is(one_file, run, run_json, sparse_deployment):
    bench = f"kaprune-edge bench deployment --sequence-length 16 --rounds 1 --task {one_file} --json -"
    assert run_json(bench)["rows"][0]["metrics"].keys() == {"accuracy", "f1"}
    source = sparse_deployment().parent / "checkpoint"
    said = run(f"kaprune-edge export {source} -o new --quantize int8 --calibrate {one_file}")
    assert "matrices calibrated" in said.out, said.err
    small = run_json(
        f"kaprune-edge distill model {one_file.replace('tsv:', '--task tsv:', 1)} "
        "--max-length 24 --epochs 1 --student 1x16 -o small --json"
    )
    assert small["train_rows"] == 32


def test_distill(place, run, run_json):
    options = f"model {SHORT} --student 1x16"
    said = run(f"kaprune-edge distill {options} -o small").out
    assert said.startswith("small: 3,072 encoder weights\n  student  accuracy ")
    metrics = run_json(f"kaprune-edge distill {options} -o again --json")
    assert metrics["metrics"] == json.loads(Path("small/metrics.json").read_text())["metrics"]


def test_export(place, run, run_json):
    said = run("kaprune-edge export model -o new").out
    assert re.match(r"new: 0\.1 MB, packed .* 0\.0% sparse, logits within \d\.\de-\d\d of the source\n", said)
    report = run_json("kaprune-edge export model --target arm64 -o json --json")
    assert report["file_bytes"] == Path("json/model.onnx").stat().st_size


def test_export_calibrated(place, run, sparse_deployment):
    source = sparse_deployment().parent / "checkpoint"
    said = run(f"kaprune-edge export {source} -o new --quantize int8 --calibrate csv:train.csv,eval.csv").out
    gain = r"\d+ matrices calibrated: on other texts .* off by 0\.\d{3} on average, 0\.\d{3} without"
    assert re.search(f"after quantization\n{gain}\nnext: ", said)


@pytest.mark.parametrize(("source", "engine"), [("model", "pytorch"), ("deployment", "onnxruntime")])
def test_evaluate(place, run, run_json, source, engine):
    command = f"kaprune-edge evaluate {source} {TASK}"
    assert run(command).out.startswith(f"{source} on csv:train.csv,eval.csv (16 rows, {engine}): accuracy ")
    report = run_json(f"{command} --json")
    assert (report["engine"], report["rows"]) == (engine, 16)
    assert report["metrics"].keys() == {"accuracy", "f1"}


def test_bench(place, run, run_json, monkeypatch):
    monkeypatch.setenv("KAPRUNE_CACHE", "cache")
    command = f"kaprune-edge bench deployment --baseline dense --sequence-length 16 --rounds 2 {TASK}"
    assert "deployment" in run(f"{command} --json figures.json").out
    figures = json.loads(Path("figures.json").read_text())
    printed = run_json(f"{command} --json -")
    assert printed.keys() == figures.keys()
    assert [row["name"] for row in printed["rows"]] == ["deployment", "dense"]


def test_predict(place, run, run_json):
    texts = ["a warm film", "a [dull] film " * 20]
    command = "kaprune-edge predict deployment " + shlex.join(texts)
    lines = [line.split("  ", 2) for line in run(command).out.splitlines()]
    predictions = run_json(f"{command} --json")["predictions"]
    assert [text for _, _, text in lines] == texts
    assert [(label, float(score)) for label, score, _ in lines] == [
        (made["label"], round(made["score"], 3)) for made in predictions
    ]


def test_doctor(run, tmp_path, monkeypatch):
    monkeypatch.setenv("KAPRUNE_CACHE", str(tmp_path))
    said, as_json = run("kaprune-edge doctor"), run("kaprune-edge doctor --json")
    report = json.loads(as_json.out)
    assert said.code == as_json.code == (1 if report["problems"] else 0)
    assert f"onnxruntime {report['versions']['onnxruntime']}" in " ".join(said.out.split())
    assert report["cache"] == str(tmp_path)
