"""Token classification from a file of tagged words to entities in a text, on a tiny model."""

import json

import numpy as np
import pytest
from transformers import AutoModelForTokenClassification, AutoTokenizer

from kaprune_edge.recipe import DistillRecipe, PruneRecipe, Training
from kaprune_edge.workflow import bench, distill, evaluate, export, prune
from kaprune_edge_cli.app import main as command_line
from kaprune_runtime import Classifier, InputError, TokenClassifier
from kaprune_runtime.__main__ import main
from kaprune_runtime.session import run, session

TRAINING = Training(epochs=10, learning_rate=5e-3, batch_size=8, max_length=24, dropout=0.0)
TEXT = "  a “warm” brothers story of the cinema ticket ! 東京 two brothers"


TEXT = "a warm two funny cinema"
FOUND = [("PER", 7, 10), ("LOC", 17, 23)]


def places(entities):
    return [(entity["label"], entity["start"], entity["end"]) for entity in entities]


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Sentences in which `two brothers` is a person and `cinema` a place."""
    folder = tmp_path_factory.mktemp("tags")
    names = [("brothers two", "B-PER I-PER"), ("two", "B-PER"), ("cinema", "B-LOC")]
    random = np.random.default_rng(0)
    for file, rows in (("train", 60), ("eval", 20)):
        lines = []
        for row in range(rows):
            tokens, tags = [], []
            for name, tagged in (names[row % 3], names[(row + 1) % 3]):
                plain = random.choice(
                    ["the", "film", "is", "a", "warm", "funny", "plot"], random.integers(1, 4)
                )
                tokens += [*plain.tolist(), *name.split()]
                tags += ["O"] * len(plain) + tagged.split()
            lines.append(json.dumps({"tokens": tokens, "tags": tags}))
        (folder / f"{file}.jsonl").write_text("\n".join(lines))
    return f"tags:{folder / 'train.jsonl'},{folder / 'eval.jsonl'}"


@pytest.fixture(scope="module")
def made(checkpoint, spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagger")
    recipe = PruneRecipe(
        model=checkpoint(),
        task=spec,
        sparsity=0.5,
        pattern="4x1",
        training=TRAINING.model_dump(),
        teacher_training=TRAINING.model_dump(),
    )
    run = prune(recipe, folder / "run")
    export(folder / "run", folder / "deployment")
    return folder, run.metrics


def test_teacher_and_pruned_student_learn(made):
    _, metrics = made
    assert metrics["teacher_metrics"]["f1"] > 0.9
    assert metrics["metrics"]["f1"] > 0.9
    assert list(metrics["metrics"]) == ["f1", "precision", "recall", "accuracy"]


def test_pytorch_and_onnx_score_the_same(made, spec):
    folder, metrics = made
    scores = [evaluate(str(folder / name), spec, max_length=24) for name in ("run", "deployment")]
    assert [score["engine"] for score in scores] == ["pytorch", "onnxruntime"]
    assert scores[0]["metrics"] == scores[1]["metrics"] == metrics["metrics"]


def test_onnx_gives_the_logits_of_transformers(made):
    folder, _ = made
    model = AutoModelForTokenClassification.from_pretrained(folder / "run").eval()
    inputs = AutoTokenizer.from_pretrained(folder / "run")(
        ["the two", "a cinema film"], padding=True, return_tensors="pt"
    )
    expected = model(**inputs).logits.detach().numpy()
    loaded = session(folder / "deployment")
    assert [node.name for node in loaded.get_outputs()] == ["logits"]
    np.testing.assert_allclose(
        run(loaded, {name: ids.numpy() for name, ids in inputs.items()}), expected, atol=1e-4
    )


def test_entities_have_offsets_into_the_text(made):
    folder, _ = made
    (entities,) = TokenClassifier(folder / "deployment")([TEXT])
    assert all(TEXT[entity.start : entity.end] == entity.text for entity in entities)
    assert ("LOC", "cinema") in [(entity.label, entity.text) for entity in entities]


def test_a_long_text_is_read_to_its_end(made):
    folder, _ = made
    text = "the film is a warm cinema " * 40
    (entities,) = TokenClassifier(folder / "deployment")([text], max_length=24)
    assert entities[0].start < 200 and entities[-1].end > 900
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)


def test_a_dense_student_learns(made, spec, tmp_path):
    folder, _ = made
    teacher = str(folder / "run" / "teacher")
    run = distill(
        DistillRecipe(teacher=teacher, task=spec, student="1x16", training=TRAINING.model_dump()),
        tmp_path / "small",
    )
    assert run.metrics["metrics"]["f1"] > 0.8


def test_bench_tells_the_entity_score(made, spec):
    folder, metrics = made
    compared = bench([folder / "deployment"], task_spec=spec, sequence_length=16, rounds=1)
    assert compared.rows[0].metrics["f1"] == metrics["metrics"]["f1"]


def test_the_runtime_predicts(made, capsys):
    folder, _ = made
    assert main(["predict", str(folder / "deployment"), TEXT, "--json"]) == 0
    assert places(json.loads(capsys.readouterr().out)["entities"]) == FOUND
    assert main(["predict", str(folder / "deployment"), TEXT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [label for label, *_ in FOUND]


def test_other_kinds_are_refused(made, sparse_deployment, task_spec, spec):
    folder, _ = made
    for wrong in (
        lambda: evaluate(str(folder / "run"), task_spec),
        lambda: evaluate(str(folder / "deployment"), task_spec),
    ):
        with pytest.raises(InputError, match=r"is for token-classification but .* for text-classification"):
            wrong()
    with pytest.raises(InputError, match=r"is for text-classification but .* for token-classification"):
        evaluate(str(sparse_deployment()), spec)
    with pytest.raises(InputError, match="is for text-classification, not token-classification"):
        TokenClassifier(sparse_deployment())
    with pytest.raises(InputError, match="is for token-classification, not text-classification"):
        Classifier(folder / "deployment")


def test_the_command_tags(made, capsys, monkeypatch):
    folder, _ = made
    command = ["kaprune-edge", "predict", str(folder / "deployment"), TEXT]
    for more, code in ((["--json"], 0), (["--pair", "x"], 2), (["--device", "ssh://nowhere"], 2)):
        monkeypatch.setattr("sys.argv", [*command, *more])
        with pytest.raises(SystemExit) as exited:
            command_line()
        assert exited.value.code == code
        if more == ["--json"]:
            (found,) = json.loads(capsys.readouterr().out)["predictions"]
            assert places(found) == FOUND
    assert "devices classify sentences only" in capsys.readouterr().err
