"""Extractive question answering from SQuAD's layout to an answer, on a tiny model."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from kaprune_edge.export import export_model
from kaprune_edge.recipe import DistillRecipe, PruneRecipe
from kaprune_edge.workflow import bench, distill, evaluate, export, prune
from kaprune_edge_cli.app import main as command_line
from kaprune_runtime import InputError, QuestionAnswerer
from kaprune_runtime.__main__ import main
from kaprune_runtime.session import run, session

TRAINING = {"epochs": 12, "learning_rate": 5e-3, "batch_size": 8, "max_length": 40, "dropout": 0.0}


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """`what ?` asks for the place; a third of the contexts have none."""
    folder = tmp_path_factory.mktemp("squad")
    random = np.random.default_rng(0)
    for name, count in (("train", 90), ("eval", 24)):
        paragraphs = []
        for row in range(count):
            words = random.choice(["film", "warm", "funny", "plot"], random.integers(2, 7)).tolist()
            asked = {"id": str(row), "question": "what ?", "answers": [], "is_impossible": row % 3 == 0}
            if row % 3:
                words.insert(int(random.integers(len(words))), "cinema")
                asked["answers"] = [{"text": "cinema", "answer_start": " ".join(words).index("cinema")}]
            paragraphs.append({"context": " ".join(words), "qas": [asked]})
        (folder / f"{name}.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return f"squad:{folder / 'train.json'},{folder / 'eval.json'}"


@pytest.fixture(scope="module")
def made(checkpoint, spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("answerer")
    fields = {"training": TRAINING, "teacher_training": TRAINING, "sparsity": 0.5, "pattern": "4x1"}
    run = prune(PruneRecipe(model=checkpoint(), task=spec, **fields), folder / "run")
    export(folder / "run", folder / "deployment")
    return folder, run.metrics


def test_teacher_and_pruned_student_learn(made):
    _, metrics = made
    assert metrics["teacher_metrics"]["f1"] > 0.9
    assert metrics["metrics"]["f1"] > 0.8
    assert list(metrics["metrics"]) == ["f1", "exact_match"]


def test_pytorch_and_onnx_score_the_same(made, spec):
    folder, metrics = made
    scores = [evaluate(str(folder / name), spec, max_length=40) for name in ("run", "deployment")]
    assert [score["engine"] for score in scores] == ["pytorch", "onnxruntime"]
    assert scores[0]["metrics"] == scores[1]["metrics"] == metrics["metrics"]


def test_onnx_gives_the_scores_of_transformers(made):
    folder, _ = made
    model = AutoModelForQuestionAnswering.from_pretrained(folder / "run").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "run")
    inputs = tokenizer(["what ?"] * 2, ["a cinema film", "two"], padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs)
    loaded = session(folder / "deployment")
    assert [node.name for node in loaded.get_outputs()] == ["start_logits", "end_logits"]
    starts, ends = np.moveaxis(run(loaded, {name: ids.numpy() for name, ids in inputs.items()}), -1, 0)
    np.testing.assert_allclose(starts, expected.start_logits, atol=1e-4)
    np.testing.assert_allclose(ends, expected.end_logits, atol=1e-4)


@pytest.mark.parametrize("model_type", ["roberta", "mpnet", "distilbert"])
def test_plain_checkpoints_are_exported(checkpoint, tmp_path, model_type):
    source = checkpoint(model_type, head=AutoModelForQuestionAnswering)
    made = export_model(source, tmp_path / "deployment")
    assert made.parity_error < 1e-4
    (answer,) = QuestionAnswerer(made.folder)(["what ?"], ["two brothers"])
    assert answer.text == "two brothers"[answer.start : answer.end] != ""


def test_a_dense_student_learns(made, spec, tmp_path):
    folder, _ = made
    fields = {"teacher": str(folder / "run" / "teacher"), "student": "1x16", "training": TRAINING}
    assert distill(DistillRecipe(task=spec, **fields), tmp_path / "small").metrics["metrics"]["f1"] > 0.5


def test_bench_tells_the_score(made, spec):
    folder, metrics = made
    compared = bench([folder / "deployment"], task_spec=spec, sequence_length=16, rounds=1)
    assert compared.rows[0].metrics == metrics["metrics"]


def test_the_runtime_answers(made, capsys):
    folder, _ = made
    command = ["predict", str(folder / "deployment"), "warm “cinema” film", "--question", "what ?"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["text"] == "warm “cinema” film"[found["start"] : found["end"]] != ""
    assert main([*command, "--null-threshold", "-1000"]) == 0
    assert capsys.readouterr().out.startswith("\t")


def test_what_does_not_fit_is_refused(made, sparse_deployment, task_spec, spec, capsys):
    folder, _ = made
    with pytest.raises(InputError, match=r"is for question-answering but .* for text-classification"):
        evaluate(str(folder / "deployment"), task_spec)
    with pytest.raises(InputError, match=r"is for text-classification but .* for question-answering"):
        evaluate(str(sparse_deployment()), spec)
    with pytest.raises(InputError, match="2 questions have 1 texts"):
        QuestionAnswerer(folder / "deployment")(["a", "b"], ["c"])
    assert main(["predict", str(folder / "deployment"), "a film"]) == 2
    assert "is for question-answering; give --question" in capsys.readouterr().err
    assert main(["predict", str(sparse_deployment()), "a film", "--question", "what ?"]) == 2
    assert "is for text-classification and takes no --question; leave it out" in capsys.readouterr().err


def test_the_command_answers(made, capsys, monkeypatch):
    folder, _ = made
    command = ["kaprune-edge", "predict", str(folder / "deployment"), "a warm cinema", "--question", "what ?"]
    for more, code in ((["--json"], 0), (["--pair", "x"], 2), (["--device", "ssh://nowhere"], 2)):
        monkeypatch.setattr("sys.argv", [*command, *more])
        with pytest.raises(SystemExit) as exited:
            command_line()
        assert exited.value.code == code
        if more == ["--json"]:
            (found,) = json.loads(capsys.readouterr().out)["predictions"]
            assert found["question"] == "what ?"
            assert found["text"] == "a warm cinema"[found["start"] : found["end"]] != ""
    assert "devices classify sentences only" in capsys.readouterr().err
