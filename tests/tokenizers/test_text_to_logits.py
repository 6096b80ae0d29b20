"""From text to logits: every client of a deployment gives what transformers gives for its source."""

import json
import re
import subprocess
import sys

import families
import numpy as np
import pytest
import tiny
import torch
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from kaprune_edge.checkpoints import load_tokenizer, save_tokenizer
from kaprune_edge.export import export_model, parity
from kaprune_runtime import Classifier
from kaprune_runtime.errors import KapruneError

SHORT, LONG = "the film", "a dull plot , flat acting and no end in sight " * 9
PAIR = "what a lovely evening", "the story of two brothers"
PADDING = {
    "strategy": {"Fixed": 32},
    "direction": "Right",
    "pad_to_multiple_of": None,
    "pad_id": 0,
    "pad_type_id": 0,
    "pad_token": "[PAD]",
}
TRUNCATION = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def make_checkpoint(folder, tokenizer, head=AutoModelForSequenceClassification, **settings):
    # One row more, for the mask token that some classes of transformers add.
    model = tiny.make_model("bert", vocab_size=len(tokenizer) + 1, head=head, **settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def torch_logits(model, tokenizer, *texts):
    inputs = tokenizer(*texts, truncation=True, max_length=42, return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    return (output.logits if "logits" in output else output.start_logits).numpy()


@pytest.fixture(scope="module")
def left_over(tmp_path_factory):
    """A model whose tokenizer.json cuts at 8 tokens and pads to 32, and its deployment."""
    folder = tmp_path_factory.mktemp("left_over")
    model = make_checkpoint(folder / "source", tiny.make_tokenizer("bert"))
    clean = AutoTokenizer.from_pretrained(folder / "source")
    edit(folder / "source" / "tokenizer.json", padding=PADDING, truncation=TRUNCATION)
    return model, clean, export_model(folder / "source", folder / "deployment").folder


def test_a_deployment_cuts_and_pads_nothing(left_over):
    saved = json.loads((left_over[2] / "tokenizer.json").read_text())
    assert saved["truncation"] is None and saved["padding"] is None
    settings = json.loads((left_over[2] / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == 42
    assert not settings.keys() & {"max_length", "stride", "pad_to_multiple_of"}


@pytest.mark.parametrize("text", [SHORT, LONG])
def test_the_code_of_the_card_gives_pytorchs_logits(left_over, text):
    model, tokenizer, folder = left_over
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[1]
    code = code.replace('"A fine film."', repr(text)) + "\nprint(len(text.ids), *logits[0])"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    tokens, *logits = map(float, told.stdout.split())
    np.testing.assert_allclose([logits], torch_logits(model, tokenizer, text), atol=1e-4)
    assert tokens == len(tokenizer(text, truncation=True, max_length=42)["input_ids"])
    np.testing.assert_allclose(Classifier(folder).logits([text]), [logits], atol=1e-4)


def test_training_leaves_nothing_in_a_saved_tokenizer(checkpoint, tmp_path):
    tokenizer = load_tokenizer(checkpoint())
    tokenizer([SHORT, LONG], truncation=True, max_length=5, padding="max_length")
    save_tokenizer(tokenizer, tmp_path)
    saved = json.loads((tmp_path / "tokenizer.json").read_text())
    assert saved["truncation"] is None and saved["padding"] is None


@pytest.mark.parametrize("head", [AutoModelForSequenceClassification, AutoModelForQuestionAnswering])
def test_second_texts_without_token_types(tmp_path, head):
    tokenizer = families.make_tokenizer("WordPiece")
    model = make_checkpoint(tmp_path / "source", tokenizer, head)
    folder = export_model(tmp_path / "source", tmp_path / "deployment").folder
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[1]
    code = re.sub(r"encode\(.*\)", f"encode{PAIR!r}", code)
    output = "logits" if head is AutoModelForSequenceClassification else "start_logits"
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(*{output}[0])"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = torch_logits(model, tokenizer, *PAIR)
    np.testing.assert_allclose([list(map(float, told.stdout.split()))], expected, atol=1e-4)
    if head is AutoModelForSequenceClassification:
        np.testing.assert_allclose(Classifier(folder).logits([PAIR[0]], [PAIR[1]]), expected, atol=1e-4)


def test_second_texts_of_a_file_that_takes_token_types(tmp_path):
    """Another exporter's folder: the file has the input, the tokenizer gives none."""
    tokenizer = tiny.make_tokenizer("bert")
    model = make_checkpoint(tmp_path / "source", tokenizer)
    folder = export_model(tmp_path / "source", tmp_path / "dense").folder
    (folder / "kaprune.json").unlink()
    edit(folder / "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    plain = AutoTokenizer.from_pretrained(folder)
    expected = torch_logits(model, plain, *PAIR)
    with pytest.warns(RuntimeWarning, match=r"has no kaprune\.json: its files are used unchecked"):
        found = Classifier(folder).logits([PAIR[0]], [PAIR[1]])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(torch_logits(model, tokenizer, *PAIR) - expected).max() > 1e-3


@pytest.mark.parametrize("head", [AutoModelForSequenceClassification, AutoModelForQuestionAnswering])
def test_a_difference_in_feeding_fails_the_export(checkpoint, tmp_path, monkeypatch, head):
    source = tmp_path / "source"
    make_checkpoint(source, tiny.make_tokenizer("bert"), head)
    honest = parity.pad

    def without_types(encodings, names, pad_id, **_):
        return honest(encodings, names, pad_id, token_types=False)

    monkeypatch.setattr(parity, "pad", without_types)
    with pytest.raises(KapruneError, match="logits differ from the source's"):
        export_model(source, tmp_path / "deployment")


@pytest.mark.parametrize(
    "settings",
    [
        {"truncation_side": "left"},
        {"padding_side": "left"},
        {"pad_token_type_id": 3},
        {"tokenizer_class": "BertTokenizer", "do_lower_case": True},
        {"clean_up_tokenization_spaces": True},
        {"model_max_length": None},
        {"model_max_length": 20.0},
        {"model_max_length": 1e30},
        {"pad_token": None},
    ],
    ids=str,
)
def test_settings_are_those_of_transformers(tmp_path, settings):
    model = make_checkpoint(tmp_path / "source", tiny.make_tokenizer("bert"))
    edit(tmp_path / "source" / "tokenizer_config.json", **settings)
    folder = export_model(tmp_path / "source", tmp_path / "deployment").folder
    plain = settings if "max_length" not in str(settings) else {}
    edit(tmp_path / "source" / "tokenizer_config.json", **plain, model_max_length=42)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "source")
    length = int(min(settings.get("model_max_length") or 42, 42))
    tokenizer.model_max_length = length
    classifier = Classifier(folder)
    for texts in (("The FILM",), (LONG,), PAIR, (SHORT, LONG)):
        inputs = tokenizer(*texts, truncation=True, max_length=length, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**inputs).logits.numpy()
        found = classifier.logits(*([text] for text in texts))
        np.testing.assert_allclose(found, expected, atol=1e-4)
