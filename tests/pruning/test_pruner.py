import pytest
import torch
from torch import nn

from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.sparsity.patterns import Blocks


@pytest.fixture
def matrices():
    generator = torch.Generator().manual_seed(0)
    return {name: nn.Parameter(torch.randn(16, 24, generator=generator)) for name in ("first", "second")}


def test_the_smallest_weights_of_every_matrix_go(matrices):
    before = {name: weight.detach().clone() for name, weight in matrices.items()}
    pruner = Pruner(matrices, Blocks())
    pruner.prune(0.75)
    for name, weight in matrices.items():
        assert weight.count_nonzero() == 96
        assert before[name][weight == 0].abs().max() < weight[weight != 0].abs().min()
    assert pruner.sparsity == pytest.approx(0.75)


def test_removed_weights_stay_zero_however_they_are_moved(matrices):
    pruner = Pruner(matrices, Blocks(4, 1))
    pruner.prune(0.5)
    removed = {name: weight == 0 for name, weight in matrices.items()}
    with torch.no_grad():
        for weight in matrices.values():
            weight.add_(1)
    pruner.apply()
    for name, weight in matrices.items():
        assert torch.equal(weight == 0, removed[name])


def test_masks_survive_saving(matrices, tmp_path):
    pruner = Pruner(matrices, Blocks())
    pruner.prune(0.5)
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
