"""Loading of checkpoints as classifiers for a task."""

import json
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from kaprune_edge.checkpoints import (
    check_length,
    check_same_shape,
    load_classifier,
    load_config,
    load_tokenizer,
    max_tokens,
)
from kaprune_edge.tasks import load_task
from kaprune_runtime.errors import InputError


@pytest.fixture(scope="module")
def task(task_spec):
    return load_task(task_spec)


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_a_pretrained_encoder_keeps_its_weights_and_gets_a_classifier(model_type, checkpoint, tmp_path, task):
    headless = AutoModel.from_pretrained(checkpoint(model_type))
    headless.save_pretrained(tmp_path)
    model = load_classifier(str(tmp_path), task, fine_tuned=False)
    for name, weight in headless.state_dict().items():
        if "pooler" not in name:
            assert torch.equal(model.base_model.state_dict()[name], weight), name
    assert model.dtype == torch.float32
    assert model.config.num_labels == 2
    with pytest.raises(InputError, match=r"has no weights that fit .*; name a checkpoint fine-tuned"):
        load_classifier(str(tmp_path), task, fine_tuned=True)


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_a_fine_tuned_checkpoint_is_loaded_whole(model_type, checkpoint, task):
    source = checkpoint(model_type)
    expected = AutoModelForSequenceClassification.from_pretrained(source).state_dict()
    loaded = load_classifier(source, task, fine_tuned=True).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], weight) for name, weight in expected.items())


def test_half_precision_weights_become_float32(checkpoint, tmp_path, task):
    AutoModelForSequenceClassification.from_pretrained(checkpoint()).half().save_pretrained(tmp_path)
    assert load_classifier(str(tmp_path), task, fine_tuned=True).dtype == torch.float32


def test_a_regression_gets_one_output(checkpoint, tmp_path):
    (tmp_path / "rows.csv").write_text("text,label\na,0.5\nb,1.5\n")
    model = load_classifier(
        checkpoint(), load_task(f"csv:{tmp_path}/rows.csv,{tmp_path}/rows.csv"), fine_tuned=False
    )
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")


def test_labels_carry_the_task_s_names(checkpoint, tmp_path):
    (tmp_path / "rows.csv").write_text("text,label\na,spam\nb,ham\nc,maybe\n")
    model = load_classifier(
        checkpoint(), load_task(f"csv:{tmp_path}/rows.csv,{tmp_path}/rows.csv"), fine_tuned=False
    )
    assert model.config.id2label == {0: "ham", 1: "maybe", 2: "spam"}
    assert model.config.label2id == {"ham": 0, "maybe": 1, "spam": 2}


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_dropout_is_replaced_everywhere_or_kept(model_type, checkpoint, task):
    def rates(**options):
        model = load_classifier(checkpoint(model_type), task, fine_tuned=False, **options)
        return {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}

    assert rates(dropout=0.0) == {0.0}
    assert max(rates()) > 0


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_the_longest_text_runs_and_one_more_token_does_not(model_type, checkpoint, task):
    model = load_classifier(checkpoint(model_type), task, fine_tuned=True).eval()
    most = max_tokens(model.config)
    ids = torch.full((1, most + 1), 7)
    assert torch.isfinite(model(input_ids=ids[:, :-1]).logits).all()
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=ids)
    check_length(model.config, most)
    for length in (7, most + 1):
        with pytest.raises(InputError, match=f"takes 8 to {most} tokens, not {length}; change --max-length"):
            check_length(model.config, length)


def test_a_checkpoint_that_lacks_encoder_weights_is_refused(checkpoint, task):
    source = Path(checkpoint())
    weights = load_file(source / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        InputError, match=r"fit .*layer\.1\.output\.dense\.weight; fetch the checkpoint again"
    ):
        load_classifier(str(source), task, fine_tuned=False)


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_a_teacher_has_the_student_s_shape(model_type, checkpoint, task):
    model = load_classifier(checkpoint(model_type), task, fine_tuned=True)
    check_same_shape(model, model)
    other = "roberta" if model_type != "roberta" else "bert"
    with pytest.raises(
        InputError, match=rf"model_type is {model_type}, its teacher's {other}; name one made from this"
    ):
        check_same_shape(model, load_classifier(checkpoint(other), task, fine_tuned=True))


def test_an_unsupported_architecture_is_refused_with_the_supported_ones(tmp_path):
    AutoConfig.for_model("t5").save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match=r"'t5' .* is not supported; use one of: bert, distilbert, electra, mpnet, r"
    ):
        load_config(str(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_type": "no-such-model"}', '{"model_type": 5}'])
def test_a_damaged_config_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config.json.* (is damaged|no model_type|not supported)"):
        load_config(str(tmp_path))


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(tmp_path):
    tokenizer = tiny.make_tokenizer("bert")
    tiny.make_model("bert", vocab_size=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.add_tokens(["brandnew"])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match=f"has {len(tokenizer)} tokens but .* for {len(tokenizer) - 1}; put the model's own"
    ):
        load_tokenizer(str(tmp_path))


def test_a_tokenizer_is_needed(checkpoint):
    source = Path(checkpoint())
    assert len(load_tokenizer(str(source))) == len(
        json.loads((source / "tokenizer.json").read_text())["model"]["vocab"]
    )
    (source / "tokenizer.json").write_text('{"model": 1}')
    with pytest.raises(InputError, match=r"the tokenizer in .* is damaged; fetch the checkpoint again"):
        load_tokenizer(str(source))
    (source / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"holds no tokenizer; add its tokenizer\.json"):
        load_tokenizer(str(source))
