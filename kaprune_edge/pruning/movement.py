"""Pruning what training moves towards zero: Sanh et al., "Movement Pruning" (NeurIPS 2020)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kaprune_edge.pruning.criterion import Criterion
from kaprune_edge.sparsity.patterns import Pattern


class Movement(Criterion):
    """Keeps the weights whose scores S = -sum of gradient times weight are largest; sections 3 and 4.

    The gradient is that of the masked weight, passed straight through the mask, so that the scores of
    removed weights go on changing. A removed weight keeps its value aside and comes back with it when its
    score has risen. Before the first training step, when there is no score yet, the smallest weights go.
    """

    needs_all_gradients = True

    def __init__(self) -> None:
        """Start without scores."""
        self._scores: dict[str, Tensor] = {}
        self._removed: dict[str, Tensor] = {}
        """Values of the removed weights, zero elsewhere."""

    @torch.no_grad()
    def masks(
        self, matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Keep the highest scores of every matrix; see `Criterion.masks`."""
        masks = self._choose(self._scores or {n: w.abs() for n, w in matrices.items()}, pattern, sparsity)
        for name, weight in matrices.items():
            if name in self._removed:
                weight.add_(self._removed[name])
            self._removed[name] = weight.masked_fill(masks[name], 0)
        return masks

    @torch.no_grad()
    def observe(self, matrices: Mapping[str, nn.Parameter]) -> None:
        """Add a step's movement to the scores."""
        if not self._scores:
            self._scores = {name: torch.zeros_like(weight) for name, weight in matrices.items()}
        for name, weight in matrices.items():
            assert weight.grad is not None
            self._scores[name].addcmul_(weight.grad, weight + self._removed[name], value=-1)

    def _choose(
        self, scores: Mapping[str, Tensor], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        return {name: pattern.mask(score, sparsity[name]) for name, score in scores.items()}

    def state(self) -> dict[str, Tensor]:
        """See `Criterion.state`."""
        parts = {"score": self._scores, "removed": self._removed}
        return {f"{part}:{name}": value for part, each in parts.items() for name, value in each.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See `Criterion.load`."""
        for key, value in state.items():
            part, _, name = key.partition(":")
            {"score": self._scores, "removed": self._removed}[part][name] = value
