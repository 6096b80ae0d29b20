"""The search on texts without labels, which the fine-tuned model's own answers stand in for."""

import importlib

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from kaprune_edge import recipe as recipes
from kaprune_edge.compress import CompressRecipe, compress
from kaprune_edge.progress import Silent
from kaprune_runtime import Classifier, InputError

pytestmark = pytest.mark.usefixtures("short")
verb, teacher_labels = (
    importlib.import_module(f"kaprune_edge.compress.{name}") for name in ("compress", "teacher_labels")
)


class Stopping(Silent):
    """Interrupts at the start of a stage."""

    def __init__(self, stage):
        self.stage = stage

    def start(self, stage, total):
        if stage == self.stage:
            raise KeyboardInterrupt


WORDS = ("warm", "funny", "dull", "flat", "film", "plot", "the", "a")
TEXTS = [f"{one} {two} {three}" for one in WORDS for two in WORDS for three in WORDS[:3]]


@pytest.fixture(scope="module")
def decided(checkpoint):
    """A classifier that gives each of its classes to half of the texts."""
    folder = checkpoint("bert", label_names=["calm", "angry"])
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.weight *= 20
        logits = answers_of(model, folder, TEXTS)
        model.classifier.bias[0] -= float(np.median(logits[:, 0] - logits[:, 1]))
    model.save_pretrained(folder)
    return folder


def answers_of(model, folder, texts):
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model.eval()(**tokens).logits.numpy()


def held_out(recipe):
    return list(verb._searched(teacher_labels.load_unlabelled(recipe), recipe.seed).evaluation["text"])


def test_without_labels_the_drop_is_the_share_of_other_answers(make_recipe, decided, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join([*TEXTS, "", *TEXTS[:20]]))
    own = make_recipe(model=decided, task=f"texts:{tmp_path}/texts.txt")
    result = compress(own, tmp_path / "small", time_limit=600)
    assert (result.headline, result.teacher, result.held_out_rows) == ("agreement", 1.0, 38)
    judged = held_out(own)
    wanted = answers_of(AutoModelForSequenceClassification.from_pretrained(decided), decided, judged)
    assert 0.2 < wanted.argmax(axis=1).mean() < 0.8
    told = Classifier(tmp_path / "small").logits(judged, max_length=24)
    differing = (told.argmax(axis=1) != wanted.argmax(axis=1)).mean()
    assert result.drop.points == pytest.approx(100 * differing)
    assert {each.label for each in Classifier(tmp_path / "small")(TEXTS)} <= {"calm", "angry"}


def test_without_labels_it_goes_on_after_an_interrupt(make_recipe, decided, tmp_path):
    (tmp_path / "pairs.csv").write_text("Old,New\n" + "".join(f"{text},\n" for text in TEXTS[:60]))
    own = make_recipe(
        model=decided, task=f"texts:{tmp_path}/pairs.csv", columns={"text": ["old", "new"]}, train_rows=50
    )
    with pytest.raises(KeyboardInterrupt):
        compress(own, tmp_path / "small", time_limit=600, progress=Stopping("answers of the teacher"))
    result = compress(own, tmp_path / "small", time_limit=600, resume=True)
    assert result.held_out_rows == 10
    assert recipe_of(tmp_path / "small-work").columns.text == ("old", "new")


def recipe_of(work):
    return recipes.make_recipe(CompressRecipe, work / "recipe.yaml", {})


@pytest.mark.parametrize(
    ("model", "name", "content", "says"),
    [
        (
            {},
            "t.txt",
            "a\n" * 90,
            r"t.txt \(1 different texts of 90\) has 1 training rows; compress needs at",
        ),
        ({}, "t.txt", " \n", "t.txt is empty; give a file with rows"),
        ({}, "t.csv", "text\n", "t.csv has no rows; give a file with rows"),
        ({}, "t.csv", "body\na\n", "t.csv has no text column, only 'body'; name it by --text-column"),
        (
            {},
            "t.docx",
            "a",
            "t.docx holds cannot be told by its name; end it in one of .txt, .csv, .tsv, .json",
        ),
        ({}, "t.parquet", "a", "t.parquet is no Parquet file, or is cut short; copy it again"),
        ({}, "gone/t.txt", None, "there is no file .*t.txt; check the path"),
        ({"label_names": ["value"]}, "t.txt", "a", "predicts values, and without labels compress can count"),
        ({"num_labels": 1}, "t.txt", "a", "predicts values, and without labels"),
        (
            {"label_names": ["a", "b"], "problem_type": "multi_label_classification"},
            "t.txt",
            "a",
            r"gives a text any number of labels \(multi_label_classification\)",
        ),
    ],
)
def test_without_labels_some_things_cannot_be(
    make_recipe, decided, checkpoint, tmp_path, model, name, content, says
):
    if content is not None:
        (tmp_path / name).write_text(content)
    own = make_recipe(
        model=checkpoint("bert", **model) if model else decided, task=f"texts:{tmp_path}/{name}"
    )
    with pytest.raises(InputError, match=says):
        compress(own, tmp_path / "small")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("small")]


def test_an_encoder_has_no_answers(make_recipe, checkpoint, tmp_path):
    (tmp_path / "t.txt").write_text("a\n")
    model = AutoModel.from_pretrained(folder := checkpoint("bert"))
    model.save_pretrained(folder)
    with pytest.raises(
        InputError, match=r"t.txt has no labels to fine-tune .* on; name a fine-tuned model, or"
    ):
        compress(make_recipe(model=folder, task=f"texts:{tmp_path}/t.txt"), tmp_path / "small")


@pytest.mark.parametrize(
    ("name", "columns", "says"),
    [
        ("t.txt", {"text": ["text"]}, "has a text a line and no columns; leave out --text-column"),
        ("t.txt", {"label": "stars"}, "t.txt has no labels; leave out --label-column"),
        ("t.csv", {"text": ["review"]}, "t.csv has no column 'review', only 'body'"),
        ("t.csv", {"text": ["body"]}, "t.csv has no rows; give a file with texts"),
    ],
)
def test_texts_lack_some_columns(make_recipe, decided, tmp_path, name, columns, says):
    (tmp_path / name).write_text("body\n")
    own = make_recipe(decided, f"texts:{tmp_path}/{name}", columns=columns)
    with pytest.raises(InputError, match=says):
        compress(own, tmp_path / "small")
