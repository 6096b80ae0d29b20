"""Pruning by absolute value: Han et al. (2015), as Xu et al. (2021) do it."""

from collections.abc import Mapping

from torch import Tensor, nn

from kaprune_edge.sparsity.patterns import Pattern


def magnitude(matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: float) -> dict[str, Tensor]:
    """Keep the largest weights of every matrix; see `Criterion`."""
    return {name: pattern.mask(weight.detach().abs(), sparsity) for name, weight in matrices.items()}
