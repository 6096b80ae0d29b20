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
def test_errors_are_those_of_each_module_alone(model_type, batch):
    model = tiny.make_model(model_type, vocab_size=60)
    before = copy.deepcopy(model.state_dict())
    errors = measure_errors(model, [batch], Blocks(4, 1), [0, 0.5, 0.9])
    assert errors.shape == (12, 3)
    assert (errors[:, 0] == 0).all()
    assert (errors[:, 0] < errors[:, 1]).all()
    assert (errors[:, 1] < errors[:, 2]).all()
    assert all(weight.equal(before[name]) for name, weight in model.state_dict().items())

    seen = []
    module = encoder_layers(model)[1].output
    module.register_forward_hook(lambda _, args, output: seen.append((args[0], output)))
    with torch.no_grad():
        model(**batch)
        inputs, output = (each.flatten(0, 1) for each in seen[0])
        weight, _ = prune_columns(module.weight, inverse_factor(inputs), Blocks(4, 1), 0.5)
        lost = (inputs @ weight.T + module.bias - output).square().sum()
        energy = (output - module.bias).square().sum()
    assert errors[11, 1] == pytest.approx(float(lost / energy), rel=1e-3)
