"""The sparse linear layer whose outputs come nearest to those wanted."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kaprune_edge.sparsity.patterns import Pattern

ROUNDS = 30
FIRST_PENALTY = 0.1
PENALTY_GROWTH = 1.1


@dataclass(frozen=True)
class SparseFit:
    """A linear layer with zeros where `mask` is False."""

    weight: Tensor
    """[out_features, in_features]."""
    bias: Tensor
    """[out_features]."""
    mask: Tensor
    """bool [out_features, in_features]."""


def fit_sparse(
    inputs: Tensor,
    outputs: Tensor,
    weight: Tensor,
    pattern: Pattern,
    sparsity: float,
    *,
    damping: float = 0.05,
) -> SparseFit:
    """Minimise |X W' + b - Y|^2 over weights W in the pattern, and b, where X and Y are given.

    Solved by the alternating direction method of multipliers: a dense ridge regression and the projection
    on the pattern take turns and are drawn together by a growing penalty. Boza, "Fast and Effective Weight
    Update for Pruned Large Language Models" (TMLR 2024), section 3; Meng et al., "ALPS" (NeurIPS 2024),
    section 3.1. Inputs are first centred and brought to unit variance, so that constants need no tuning to
    the layer.

    Args:
        inputs: X, [samples, in_features].
        outputs: Y, [samples, out_features].
        weight: Weights to stay near where the inputs say little, [out_features, in_features].
        pattern: Which weights go together.
        sparsity: Share of the weights to remove.
        damping: Strength of that attraction, in shares of each input's variance.

    Raises:
        InputError: The matrix or the sparsity does not fit the pattern.
    """
    spread, centre = torch.std_mean(inputs, dim=0, correction=0)
    scale = torch.where(spread > 0, spread, 1)
    scaled = (inputs - centre) / scale
    mean_output = outputs.mean(dim=0)
    gram = scaled.T @ scaled / len(inputs)
    gram.diagonal().add_(damping)
    cross = (outputs - mean_output).T @ scaled / len(inputs) + damping * weight * spread

    eigenvalues, eigenvectors = torch.linalg.eigh(gram)
    cross = cross @ eigenvectors
    dense = cross / eigenvalues @ eigenvectors.T
    gap = torch.zeros_like(dense)
    penalty = FIRST_PENALTY
    for _ in range(ROUNDS):
        dense += gap
        mask = pattern.mask(dense.square(), sparsity)
        sparse = dense * mask
        gap = dense - sparse
        dense = (cross + penalty * ((sparse - gap) @ eigenvectors)) / (eigenvalues + penalty) @ eigenvectors.T
        gap /= PENALTY_GROWTH
        penalty *= PENALTY_GROWTH
    sparse /= scale
    return SparseFit(sparse, mean_output - sparse @ centre, mask)
