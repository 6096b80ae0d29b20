import copy

import numpy as np
import pytest
import tiny
import torch

from kaprune_edge.budget.sensitivity import measure_errors
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.sparsity.patterns import Blocks

TIMES = 512
"""How often each text comes, so that drawn labels come about as often as the model expects them."""


def exact_information(model, ids):
    """The Fisher information of every weight, with all labels in place of drawn ones, of single texts."""
    matrices = encoder_matrices(model)
    information = {name: torch.zeros_like(weight) for name, weight in matrices.items()}
    for text in ids:
        (logits,) = model(text[None], attention_mask=torch.ones(1, len(text))).logits
        for each in logits.log_softmax(-1):
            gradients = torch.autograd.grad(each, [*matrices.values()], retain_graph=True)
            for own, gradient in zip(information.values(), gradients, strict=True):
                own += each.detach().exp() * gradient**2
    return information


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_errors_are_what_the_least_salient_blocks_cost(model_type):
    model = tiny.make_model(model_type, vocab_size=60)
    before = copy.deepcopy(model.state_dict())
    ids = torch.randint(4, 60, (4, 12), generator=torch.Generator().manual_seed(0))
    again = ids.repeat(TIMES, 1)
    batches = [{"input_ids": part, "attention_mask": torch.ones_like(part)} for part in again.split(32)]
    kept = np.array([1, 0.75, 0.5, 0.25])
    errors = measure_errors(model, batches, Blocks(4, 1), kept)
    assert all(weight.equal(before[name]) for name, weight in model.state_dict().items())
    assert (errors[:, 0] == 0).all()

    expected = []
    for name, own in exact_information(model, ids).items():
        saliency = TIMES * own * before[name] ** 2 / 2
        blocks = saliency.reshape(len(own) // 4, 4, -1).sum(dim=1).flatten().sort().values
        expected.append([blocks[: round(len(blocks) * (1 - share))].sum().item() for share in kept])
    assert errors == pytest.approx(np.array(expected), rel=0.3)
