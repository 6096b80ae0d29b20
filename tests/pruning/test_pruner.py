import pytest
import torch
from torch import nn

from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.sparsity.patterns import Blocks


@pytest.fixture
def matrices():
    generator = torch.Generator().manual_seed(0)
    return {name: nn.Parameter(torch.randn(16, 24, generator=generator)) for name in ("first", "second")}


def test_the_smallest_weights_of_every_matrix_go(matrices):
    before = {name: weight.detach().clone() for name, weight in matrices.items()}
    pruner = Pruner(matrices, Blocks())
    pruner.prune({"first": 0.75, "second": 0.5}, Magnitude())
    for name, kept in (("first", 96), ("second", 192)):
        weight = matrices[name]
        assert weight.count_nonzero() == kept
        assert before[name][weight == 0].abs().max() < weight[weight != 0].abs().min()
    assert pruner.sparsity == pytest.approx(0.625)


def test_removed_weights_stay_zero_however_they_are_moved(matrices):
    pruner = Pruner(matrices, Blocks(4, 1))
    pruner.prune(dict.fromkeys(matrices, 0.5), Magnitude())
    removed = {name: weight == 0 for name, weight in matrices.items()}
    with torch.no_grad():
        for weight in matrices.values():
            weight.add_(1)
    pruner.apply()
    for name, weight in matrices.items():
        assert torch.equal(weight == 0, removed[name])


def test_masks_survive_saving(matrices, tmp_path):
    pruner = Pruner(matrices, Blocks())
    pruner.prune(dict.fromkeys(matrices, 0.5), Magnitude())
    pruner.save(tmp_path / "masks")
    removed = {name: weight == 0 for name, weight in matrices.items()}
    with torch.no_grad():
        for weight in matrices.values():
            weight.fill_(1)
    fresh = Pruner(matrices, Blocks())
    fresh.load(tmp_path / "masks")
    fresh.apply()
    assert fresh.sparsity == pytest.approx(0.5)
    for name, weight in matrices.items():
        assert torch.equal(weight == 0, removed[name])
