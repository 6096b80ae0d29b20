import pytest
import tiny
import torch

from kaprune_edge.distillation.teaching import distillation_loss
from kaprune_edge.recipe import LossWeights


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_a_teacher_rounded_beforehand_says_what_autocast_would_make_it_say(model_type):
    student, teacher = (tiny.make_model(model_type, vocab_size=60) for _ in range(2))
    torch.nn.init.normal_(teacher.base_model.get_input_embeddings().weight)
    inputs = {
        "input_ids": torch.randint(4, 60, (3, 9), generator=torch.Generator().manual_seed(0)),
        "attention_mask": torch.ones(3, 9, dtype=torch.long),
    }
    rounded, plain = (
        distillation_loss(student, teacher, [1, 2], LossWeights(), precision)
        for precision in ("bfloat16", "float32")
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(rounded(student, inputs, 0), plain(student, inputs, 0))
    assert {weight.dtype for weight in teacher.parameters()} == {torch.float32}


def test_the_last_share_learns_from_the_logits_alone():
    student, teacher = (tiny.make_model("bert", vocab_size=60) for _ in range(2))
    torch.nn.init.normal_(teacher.base_model.get_input_embeddings().weight)
    ids = torch.randint(4, 60, (3, 9), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    loss = distillation_loss(student, teacher, [1, 2], LossWeights(logits=2, logits_only=0.25))
    every = distillation_loss(student, teacher, [1, 2], LossWeights(logits=2))
    with torch.no_grad():
        choices, wanted = (model.eval()(**inputs).logits for model in (student, teacher))
        assert loss(student, inputs, 0.74).equal(every(student, inputs, 0.74))
        expected = -2 * (wanted.softmax(-1) * choices.log_softmax(-1)).sum(-1).mean()
        assert loss(student, inputs, 0.75).item() == pytest.approx(expected.item(), rel=1e-5)
