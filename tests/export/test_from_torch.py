import graphs
import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForSequenceClassification, XLNetConfig

from kaprune_edge.export import to_onnx
from kaprune_runtime import InputError


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_logits_at_every_length_and_padding(dense_graph, model_type):
    exported, model = dense_graph(model_type), graphs.make_model(model_type)
    assert exported.opset_imports[""] == 20
    for batch, length in ((1, 1), (2, 2), (3, 17), (1, 40)):
        feeds = graphs.token_feeds(batch, length)
        names = [value.name for value in exported.graph.inputs]
        with torch.inference_mode():
            reference = model(**{name: torch.from_numpy(feeds[name]) for name in names}).logits
        np.testing.assert_allclose(graphs.run(exported, feeds), reference, atol=1e-5)


@pytest.mark.parametrize("model_type", graphs.ARCHITECTURES)
def test_masks_mean_what_pytorch_takes_them_for(dense_graph, model_type):
    """Anything but 0 is a token; over padding alone, PyTorch's plain attention is even."""
    exported, model = dense_graph(model_type), graphs.make_model(model_type)
    if model_type != "mpnet":  # has no other
        model.set_attn_implementation("eager")
    feeds = graphs.token_feeds(5, 9)
    feeds["attention_mask"][0, 2:] = 0
    feeds["attention_mask"][1] = 0
    feeds["attention_mask"][2, ::2] = 2
    feeds["attention_mask"][3, ::3] = -1
    names = [value.name for value in exported.graph.inputs]
    with torch.inference_mode():
        reference = model(**{name: torch.from_numpy(feeds[name]) for name in names}).logits
    np.testing.assert_allclose(graphs.run(exported, feeds), reference, atol=1e-5)


def test_a_second_model_of_a_shape_has_its_own_weights_and_labels():
    for seed, names in enumerate((["bad", "good"], ["no", "yes"])):
        model = tiny.make_model("bert", vocab_size=graphs.VOCABULARY, label_names=names)
        torch.manual_seed(seed)
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.1 * torch.randn_like(weight) * seed
        feeds = graphs.token_feeds(2, 7)
        with torch.inference_mode():
            reference = model(**{name: torch.from_numpy(values) for name, values in feeds.items()}).logits
        np.testing.assert_allclose(graphs.run(to_onnx(model), feeds), reference, atol=1e-5)


def test_the_model_is_left_as_it_was():
    model = tiny.make_model("mpnet", vocab_size=graphs.VOCABULARY).train()
    before = model.config._attn_implementation
    to_onnx(model)
    assert model.training
    assert model.config._attn_implementation == before
    assert "relative_position_bucket" not in vars(model.mpnet.encoder)


def test_other_architectures_and_types_are_refused():
    config = XLNetConfig(vocab_size=20, d_model=8, n_layer=1, n_head=2, d_inner=8)
    with pytest.raises(InputError, match="architecture 'xlnet' is not supported; use one of: bert, "):
        to_onnx(AutoModelForSequenceClassification.from_config(config))
    with pytest.raises(InputError, match="float32"):
        to_onnx(tiny.make_model("bert", vocab_size=graphs.VOCABULARY).half())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named(value):
    model = tiny.make_model("bert", vocab_size=graphs.VOCABULARY)
    with torch.no_grad():
        model.base_model.embeddings.word_embeddings.weight[7, 3] = value
    with pytest.raises(InputError, match=r"bert\.embeddings\.word_embeddings\.weight .* has 1 weights"):
        to_onnx(model)
