"""What the files of a checkpoint hold: plain weights come in whole, everything else is told by its name."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from kaprune_edge.checkpoints import load_classifier, load_tokenizer
from kaprune_edge.checkpoints.weights import load_model
from kaprune_edge.tasks import load_task
from kaprune_runtime.errors import InputError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 438\n"
QUERY = "bert.encoder.layer.0.attention.self.query"


@pytest.fixture
def copy(made, tmp_path):
    return Path(shutil.copytree(made(), tmp_path / "copy"))


def rewrite(folder, change):
    """Save a checkpoint's tensors as `change` gives them back."""
    weights = change(load_file(folder / "model.safetensors"))
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors")


def same_as(folder, other):
    own, wanted = load_model(folder).state_dict(), AutoModelForSequenceClassification.from_pretrained(other)
    return all(torch.equal(own[name], weight) for name, weight in wanted.state_dict().items())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: name.replace("bert.encoder.", "bert.encoder._orig_mod."),
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta"),
    ],
)
def test_names_of_wrappers_and_of_old_releases_are_read(copy, made, wrap):
    rewrite(copy, lambda weights: {wrap(name): tensor for name, tensor in weights.items()})
    assert same_as(copy, made())


def test_unused_tensors_of_pretraining_are_left_out(copy, made):
    extra = {
        "bert.embeddings.position_ids": torch.arange(42)[None],
        "cls.predictions.bias": torch.ones(79),
        "cls.seq_relationship.weight": torch.ones(2, 32),
    }
    rewrite(copy, lambda weights: weights | extra)
    assert same_as(copy, made())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_become_float32(copy, kind):
    rewrite(copy, lambda weights: {name: tensor.to(kind) for name, tensor in weights.items()})
    assert {weight.dtype for weight in load_model(copy).parameters()} == {torch.float32}


def test_shards_and_pytorch_files_are_read(made, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(made())
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    assert same_as(tmp_path / "shards", made())
    (tmp_path / "plain").mkdir()
    model.config.save_pretrained(tmp_path / "plain")
    torch.save(model.state_dict(), tmp_path / "plain" / "pytorch_model.bin")
    assert same_as(tmp_path / "plain", made())
    next((tmp_path / "shards").glob("*-00002-*")).unlink()
    with pytest.raises(InputError, match=r"index\.json names model-00002-.*, which is missing"):
        load_model(tmp_path / "shards")
    (tmp_path / "shards" / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match=r"index\.json names no files"):
        load_model(tmp_path / "shards")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            f"{QUERY}.lora_A.default.weight",
            "tensors an adapter's .*lora_A.*; merge it into .*merge_and_unload",
        ),
        (f"{QUERY}.lora_B.weight", "tensors an adapter's"),
        (f"{QUERY}.weight_orig", r"torch\.nn\.utils\.prune .*; call torch\.nn\.utils\.prune\.remove"),
        (f"{QUERY}.weight_mask", r"torch\.nn\.utils\.prune\.remove"),
        (f"{QUERY}.weight_g", r"weight normalization .*remove_weight_norm"),
        (f"{QUERY}.parametrizations.weight.original0", "remove_parametrizations"),
        (f"{QUERY}.weight_u", "remove_spectral_norm"),
        (f"{QUERY}.mask_scores", "masks"),
        (f"{QUERY}.qweight", "quantized or packed"),
        (f"{QUERY}.weight.absmax", "quantized or packed"),
        (
            "bert.encoder.layer.0.attention.self.distance_embedding.weight",
            "distance_embedding.* does not use",
        ),
        ("crf.transitions", r"holds crf\.transitions, which a plain BertForSequenceClassification does not"),
        ("classifier.dense.weight", r"holds classifier\.dense\.weight"),
    ],
)
def test_tensors_that_the_model_does_not_take_are_refused_by_name(copy, name, message):
    rewrite(copy, lambda weights: weights | {name: torch.ones(32)})
    with pytest.raises(InputError, match=message) as caught:
        load_model(copy)
    assert "\n" not in str(caught.value)


def test_a_new_head_needs_no_old_one_but_the_whole_encoder(copy, task_spec):
    task = load_task(task_spec)
    rewrite(copy, lambda weights: weights | {"qa_outputs.weight": torch.ones(2, 32)})
    load_classifier(copy, task, fine_tuned=False)
    rewrite(copy, lambda weights: weights | {"bert.encoder.extra": torch.ones(2)})
    with pytest.raises(InputError, match=r"holds bert\.encoder\.extra"):
        load_classifier(copy, task, fine_tuned=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["bert.embeddings.word_embeddings.weight", "classifier.bias"])
def test_weights_that_are_not_finite_are_named(copy, task_spec, name, value):
    def spoil(weights):
        weights[name].view(-1)[-1] = value
        return weights

    rewrite(copy, spoil)
    for load in (
        lambda: load_model(copy),
        lambda: load_classifier(copy, load_task(task_spec), fine_tuned=False),
    ):
        with pytest.raises(InputError, match=f"{name} in .* not finite"):
            load()


def test_files_that_are_something_else_are_told_so(copy, made, tmp_path):
    def said(load=load_model):
        with pytest.raises(InputError) as caught:
            load(copy)
        assert "\n" not in str(caught.value)
        assert "weights_only" not in str(caught.value)
        return str(caught.value)

    for name, load in (
        ("tokenizer.json", load_tokenizer),
        ("config.json", load_model),
        ("model.safetensors", load_model),
    ):
        kept = (copy / name).read_bytes()
        (copy / name).write_text(POINTER)
        assert f"{copy / name} is a git-lfs pointer; run `git lfs pull`" in said(load)
        (copy / name).write_bytes(kept)
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[:-40])
    assert "model.safetensors is damaged" in said()
    (copy / "model.safetensors").unlink()
    assert "weights in" in said()
    (copy / "tf_model.h5").write_text("")
    assert "tf_model.h5 but no weights of PyTorch" in said()
    (copy / "model.onnx").write_text("")
    assert "is a deployment; name the run or checkpoint" in said()
    torch.save({"args": argparse.Namespace(), "state_dict": {}}, copy / "pytorch_model.bin")
    assert "save the model as model.safetensors" in said()
    torch.save({"epoch": 3}, copy / "pytorch_model.bin")
    assert "more than a model's tensors" in said()
    (copy / "pytorch_model.bin").write_text(POINTER)
    assert "is a git-lfs pointer" in said()
    (copy / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "bert-base-uncased"}))
    assert "holds an adapter (adapter_config.json) for bert-base-uncased; merge" in said()
    (copy / "config.json").unlink()
    assert "holds an adapter" in said()


def test_code_of_a_checkpoint_is_never_asked_for(edited):
    for changes in (
        {"auto_map": {"AutoConfig": "c.C", "AutoModel": "m.M"}},
        {"model_type": "own", "auto_map": {}},
    ):
        with pytest.raises(InputError, match=r"auto_map|'own' .* is not supported"):
            load_model(edited(changes))
