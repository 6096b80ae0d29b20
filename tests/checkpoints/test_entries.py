"""Entries of config.json: honoured, harmless, or refused by name before anything is loaded."""

import pytest
import tiny
import torch
from transformers import AutoModelForSequenceClassification
from transformers.activations import ACT2FN

from kaprune_edge.checkpoints import load_config
from kaprune_edge.checkpoints.entries import ACTIVATIONS
from kaprune_edge.checkpoints.weights import load_model
from kaprune_runtime.errors import InputError

IDS = torch.tensor([[2, 7, 8, 9, 10, 3]])

COMPUTED_OTHERWISE = [
    {"position_embedding_type": "relative_key"},
    {"position_embedding_type": "rotary"},
    {"is_decoder": True},
    {"is_encoder_decoder": True},
    {"add_cross_attention": True, "is_decoder": True},
    {"hidden_act": "geglu"},
    {"hidden_act": 3},
    {"pruned_heads": {"0": [1]}},
    {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    {"auto_map": {"AutoModel": "modeling.Model"}},
    {"embedding_size": 16},
    {"relative_attention_num_buckets": 32},
    {"rope_theta": 10000.0},
    {"use_alibi": True},
    {"num_key_value_heads": 2},
    {"attention_window": [16, 16]},
    {"norm_first": True},
    {"num_experts": 4},
    {"activation": "relu"},
    {"pooler_position": None, "layer_norm_type": "rms"},
]
OF_REAL_CHECKPOINTS = {
    "architectures": ["BertForSequenceClassification"],
    "_name_or_path": "bert-base-uncased",
    "_num_labels": 2,
    "adapters": {"adapters": {}, "config_map": {}},
    "cell": {},
    "classifier_dropout": None,
    "directionality": "bidi",
    "do_sample": False,
    "emb_size": 32,
    "eos_token_ids": 0,
    "finetuning_task": "sst-2",
    "gradient_checkpointing": False,
    "initializer_range": 0.02,
    "language": "english",
    "length_penalty": 1.0,
    "max_length": 20,
    "num_beam_groups": 1,
    "output_past": True,
    "pooler_fc_size": 768,
    "pooler_num_attention_heads": 12,
    "pooler_num_fc_layers": 3,
    "pooler_size_per_head": 128,
    "pooler_type": "first_token_transform",
    "position_embedding_type": "absolute",
    "pre_trained": "",
    "pruned_heads": {},
    "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.0"},
    "structure": [],
    "summary_type": "first",
    "task_specific_params": {"summarization": {"max_length": 3}},
    "tie_encoder_decoder": False,
    "tokenizer_class": "BertTokenizer",
    "torchscript": False,
    "type_vocab_size": 2,
    "use_bfloat16": False,
    "use_cache": True,
    "vocab_file": "vocab.txt",
    "xla_device": True,
    "best_score": 0.93,
}
HOW_IT_IS_RUN = {
    "return_dict": False,
    "output_attentions": True,
    "output_hidden_states": True,
    "chunk_size_feed_forward": 5,
    "attn_implementation": "flash_attention_2",
    "_attn_implementation": "flash_attention_2",
    "torch_dtype": "float16",
    "torchscript": True,
    "pad_token_id": None,
}


@pytest.mark.parametrize("changes", COMPUTED_OTHERWISE, ids=lambda changes: next(iter(changes)))
def test_what_changes_the_computation_is_refused_by_name(edited, changes):
    folder = edited(changes)
    with pytest.raises(InputError) as caught:
        load_model(folder)
    said = str(caught.value)
    assert any(entry in said for entry in changes)
    assert f"{folder}/config.json" in said or str(folder) in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "changes", [{"layer_norm_eps": 1e-5}, {"hidden_act": "relu"}, {"is_decoder": True}], ids=str
)
def test_a_family_that_does_not_read_an_entry_takes_its_own_value_alone(edited, changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        load_model(edited(changes, "distilbert"))


def test_entries_of_real_checkpoints_change_nothing(edited, made):
    expected = AutoModelForSequenceClassification.from_pretrained(made())(IDS).logits
    assert torch.equal(load_model(edited(OF_REAL_CHECKPOINTS)).eval()(IDS).logits, expected)


def test_how_a_model_was_run_is_not_taken_over(edited, made):
    expected = AutoModelForSequenceClassification.from_pretrained(made())(IDS).logits
    output = load_model(edited(HOW_IT_IS_RUN)).eval()(IDS)
    torch.testing.assert_close(output.logits, expected)
    assert output.hidden_states is None


def test_every_activation_that_is_let_through_is_transformers_own(edited, made):
    for name in ACTIVATIONS:
        assert not list(ACT2FN[name].parameters())
    folder = edited({"hidden_act": "relu"})
    expected = AutoModelForSequenceClassification.from_pretrained(folder)(IDS).logits
    assert torch.equal(load_model(folder).eval()(IDS).logits, expected)
    assert not torch.equal(expected, AutoModelForSequenceClassification.from_pretrained(made())(IDS).logits)


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_a_file_without_model_type_is_told_by_its_class(edited, model_type):
    assert load_config(edited({"model_type": None}, model_type)).model_type == model_type


ABSURD = [
    {"hidden_size": 0},
    {"hidden_size": -32},
    {"hidden_size": "32"},
    {"hidden_size": 10**9, "num_attention_heads": 1},
    {"num_attention_heads": 0},
    {"num_attention_heads": 5},
    {"num_hidden_layers": 0},
    {"num_hidden_layers": 10_000_000},
    {"num_hidden_layers": True},
    {"intermediate_size": 0},
    {"intermediate_size": 10**9},
    {"vocab_size": 0},
    {"vocab_size": 10**9},
    {"vocab_size": 78.5},
    {"max_position_embeddings": 0},
    {"max_position_embeddings": 4},
    {"max_position_embeddings": 10**9},
    {"type_vocab_size": 0},
    {"pad_token_id": 79},
    {"pad_token_id": -1},
    {"layer_norm_eps": 0.0},
    {"layer_norm_eps": "small"},
    {"architectures": "BertForSequenceClassification"},
]


@pytest.mark.parametrize("changes", ABSURD, ids=str)
def test_absurd_sizes_are_refused_before_anything_is_made(edited, changes):
    folder = edited(changes)
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pad_id_leaves_positions_for_texts(edited):
    with pytest.raises(InputError, match="positions for 2 tokens"):
        load_config(edited({"pad_token_id": 39}, "roberta"))
