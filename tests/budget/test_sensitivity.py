import copy

import pytest
import tiny
import torch

from kaprune_edge.budget.sensitivity import measure_errors
from kaprune_edge.encoder import encoder_layers
from kaprune_edge.pruning.sparsegpt import inverse_factor, prune_columns
from kaprune_edge.sparsity.patterns import Blocks


@pytest.fixture
def batch():
    ids = torch.randint(4, 60, (32, 12), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_errors_are_those_of_each_matrix_alone(model_type, batch):
    model = tiny.make_model(model_type, vocab_size=60)
    before = copy.deepcopy(model.state_dict())
    errors = measure_errors(model, [batch], Blocks(4, 1), [0.3, 0.5, 0.9])
    assert errors.shape == (12, 3)
    assert (errors[:, 0] < errors[:, 1]).all()
    assert (errors[:, 1] < errors[:, 2]).all()
    assert all(weight.equal(before[name]) for name, weight in model.state_dict().items())

    seen = []
    module = encoder_layers(model)[0].output
    module.register_forward_hook(lambda _, args, output: seen.append(args[0].flatten(0, 1)))
    with torch.no_grad():
        wanted = model(**batch).logits
        (inputs,) = seen
        factor, dense = inverse_factor(inputs), module.weight.clone()
        half, tenth = (prune_columns(dense, factor, Blocks(4, 1), sparsity)[0] for sparsity in (0.5, 0.9))
        module.weight.copy_(half)
        changed = model(**batch).logits
        local = [(inputs @ (other - dense).T).square().sum() for other in (half, tenth)]
    lost = float((changed - wanted).square().sum() / wanted.square().sum())
    assert errors[5, 1] == pytest.approx(lost, rel=1e-3)
    assert errors[5, 2] == pytest.approx(lost * float(local[1] / local[0]), rel=1e-3)
