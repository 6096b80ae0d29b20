"""The sparse matrices of a model as vectors of their kept weights."""

from collections.abc import Callable, Mapping, Set
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from kaprune_edge.sparse_training.kept import Kept, multiply
from kaprune_edge.sparse_training.rows import available

SPARSE_ENOUGH = 0.85
"""Share of removed weights from which on matrices are packed. That whole products in AVX-512's bfloat16 take
about as long here is extrapolated from 90 and 95 %; those of AMX take less at 90 % (benchmarks/pruning)."""


class PackedMatrices:
    """Linear modules that hold, multiply by and learn their kept weights alone, in float32.

    Their `weight` is a parameter of shape [kept] meanwhile, in the place that the matrix had among the
    model's parameters and the optimizer's, so that gradients, moments and checkpoints have no others.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._packed: dict[str, tuple[Tensor, Kept]] = {}

    @property
    def names(self) -> Set[str]:
        """The matrices that are packed now, by parameter name."""
        return self._packed.keys()

    def pack(self, masks: Mapping[str, Tensor], optimizer: Optimizer | None = None) -> None:
        """Pack the matrices that are sparse enough; none where there is no native library.

        Args:
            masks: Parameter name -> nonzero where a weight is kept, [out_features, in_features].
            optimizer: Has the matrices among its parameters.
        """
        if not available():
            return
        for name, mask in masks.items():
            if mask.count_nonzero() <= (1 - SPARSE_ENOUGH) * mask.numel():
                linear, kept = self._linear(name), Kept.of(mask)
                matrix = linear.weight
                linear.weight = nn.Parameter(kept.pick(matrix.detach()))
                vars(linear)["forward"] = partial(multiply, linear, kept)
                _exchange(matrix, linear.weight, kept.pick, optimizer)
                self._packed[name] = matrix, kept

    def unpack(self, optimizer: Optimizer | None = None) -> None:
        """Put the matrices back, with the weights learnt since; removed weights and their moments are zero.

        Args:
            optimizer: Has the packed weights among its parameters.
        """
        for name, (matrix, kept) in self._packed.items():
            linear = self._linear(name)
            weights = linear.weight
            with torch.no_grad():
                matrix.copy_(kept.spread(weights))
            linear.weight = matrix
            del vars(linear)["forward"]
            _exchange(weights, matrix, kept.spread, optimizer)
        self._packed.clear()

    def _linear(self, name: str) -> nn.Linear:
        return cast(nn.Linear, self._model.get_submodule(name.removesuffix(".weight")))


def _exchange(
    old: Tensor, new: Tensor, change: Callable[[Tensor], Tensor], optimizer: Optimizer | None
) -> None:
    """Have an optimizer go on with another parameter; `change` is what makes the new moments of the old."""
    if optimizer is None:
        return
    for group in optimizer.param_groups:
        group["params"] = [new if each is old else each for each in group["params"]]
    if old in optimizer.state:
        optimizer.state[new] = {
            name: change(value) if value.shape == old.shape else value
            for name, value in optimizer.state.pop(old).items()
        }
