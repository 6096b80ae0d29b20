"""One output, outputs that are not finite, and pairs: what a classifier may answer."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from transformers import pipeline

from kaprune_runtime import Classifier, InputError
from kaprune_runtime.__main__ import main
from kaprune_runtime.deployment import read_config
from kaprune_runtime.errors import KapruneError
from kaprune_runtime.pipeline import predictions

TEXTS = ["what a lovely evening at the cinema !", "dull", "flat acting and no end in sight"]


@pytest.fixture
def changed(tiny, tmp_path):
    """Copy a deployment of one output, without its manifest, and change entries of its config.json."""

    def change(**entries):
        folder = Path(
            shutil.copytree(tiny("bert", num_labels=1).folder, tmp_path / "changed", dirs_exist_ok=True)
        )
        (folder / "kaprune.json").unlink(missing_ok=True)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | entries))
        return folder

    return change


@pytest.mark.parametrize("problem_type", [None, "regression", "multi_label_classification"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_scores_are_those_of_the_transformers_pipeline(tiny, problem_type, outputs):
    made = tiny("bert", num_labels=outputs, problem_type=problem_type)
    reference = pipeline("text-classification", model=made.model, tokenizer=made.tokenizer, top_k=None)
    for prediction, scores in zip(Classifier(made.folder)(TEXTS), reference(TEXTS), strict=True):
        assert prediction.scores == pytest.approx({s["label"]: s["score"] for s in scores}, abs=1e-5)
        assert prediction.label == scores[0]["label"]


@pytest.mark.parametrize(
    "activation", ["torch.nn.modules.activation.Sigmoid", "torch.nn.modules.linear.Identity"]
)
def test_a_cross_encoder_has_the_pipeline_s_sigmoid(changed, tiny, activation):
    folder = changed(sentence_transformers={"activation_fn": activation})
    made = tiny("bert", num_labels=1)
    wanted = pipeline("text-classification", model=made.model, tokenizer=made.tokenizer)(TEXTS)
    assert [one.score for one in Classifier(folder)(TEXTS)] == pytest.approx(
        [one["score"] for one in wanted], abs=1e-5
    )


def test_large_outputs_have_a_probability_without_a_warning(changed, recwarn):
    told = predictions(np.array([[1e4], [-1e4]], np.float32), read_config(changed()))
    assert [one.score for one in told] == [1, 0]
    assert not recwarn


def spoil(folder):
    """Put NaN into the embedding of one word; its id."""
    model = onnx.load(folder / "model.onnx")
    table = next(one for one in model.graph.initializer if "word_embeddings" in one.name)
    values = onnx.numpy_helper.to_array(table).copy()
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    values[vocabulary["film"]] = np.nan
    table.CopyFrom(onnx.numpy_helper.from_array(values, table.name))
    onnx.save(model, folder / "model.onnx")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_outputs_that_are_not_finite_are_an_error(changed, capsys, options):
    folder = changed()
    spoil(folder)
    Classifier(folder)(["the story"])
    with pytest.raises(KapruneError, match="outputs are not finite"):
        Classifier(folder)(["the story", "the film"])
    assert main(["predict", str(folder), "the film", *options]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: the model's outputs are not finite")


def test_a_model_of_pairs_wants_pairs_and_one_of_texts_wants_none(changed):
    pairs = Classifier(changed(kaprune={"text_columns": 2}))
    with pytest.raises(
        InputError, match=r"trained on pairs of texts; give a second text for each \(--pair\)"
    ):
        pairs(TEXTS)
    assert len(pairs(TEXTS, TEXTS)) == 3
    single = Classifier(changed(kaprune={"text_columns": 1}))
    with pytest.raises(InputError, match=r"trained on single texts; leave out the second ones"):
        single(TEXTS, TEXTS)
    assert len(single(TEXTS)) == 3
    for silent in ({}, {"kaprune": None}, {"kaprune": {"text_columns": "two"}}):
        assert len(Classifier(changed(**silent))(TEXTS, TEXTS)) == 3


@pytest.mark.parametrize(
    "entries",
    [
        {"vocab_size": 0}, {"vocab_size": True}, {"max_position_embeddings": -1}, {"pad_token_id": 79},
        {"pad_token_id": "0"}, {"max_position_embeddings": "42"}, {"problem_type": 5},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_entries_are_refused_with_the_file(changed, entries):
    folder = changed(**entries)
    with pytest.raises(InputError, match=f"{next(iter(entries))} in {folder}/config.json is "):
        read_config(folder)
