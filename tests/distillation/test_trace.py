import pytest
import tiny
import torch

from kaprune_edge.distillation.trace import Tracer


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_scores_are_what_the_models_own_attention_is_the_softmax_of(model_type):
    model = tiny.make_model(model_type, vocab_size=60, attn_implementation="eager")
    if model_type == "mpnet":
        torch.nn.init.zeros_(model.base_model.encoder.relative_attention_bias.weight)
    inputs = {
        "input_ids": torch.randint(4, 60, (3, 9), generator=torch.Generator().manual_seed(0)),
        "attention_mask": torch.ones(3, 9, dtype=torch.long),
    }
    with torch.no_grad():
        trace = Tracer(model)(inputs)
        expected = model(**inputs, output_attentions=True, output_hidden_states=True)
    assert len(trace.attention_scores) == 2
    for scores, attention in zip(trace.attention_scores, expected.attentions, strict=True):
        torch.testing.assert_close(scores.softmax(-1), attention)
    for ours, theirs in zip(trace.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(trace.logits, expected.logits)
