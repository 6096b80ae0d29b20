"""Pruning by absolute value: Han et al. (2015), as Xu et al. (2021) do it."""

from collections.abc import Mapping

from torch import Tensor, nn

from kaprune_edge.pruning.criterion import Criterion
from kaprune_edge.sparsity.patterns import Pattern


class Magnitude(Criterion):
    """Keeps the largest weights of every matrix."""

    def masks(
        self, matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """See `Criterion.masks`."""
        return {
            name: pattern.mask(weight.detach().abs(), sparsity[name]) for name, weight in matrices.items()
        }
