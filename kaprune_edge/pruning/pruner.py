"""The masks of a model under pruning, and how they are drawn, applied and kept."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kaprune_edge.pruning.criteria import magnitude
from kaprune_edge.sparsity.patterns import Pattern


class Pruner:
    """Holds one mask a matrix; a removed weight is exactly zero after every `apply`."""

    def __init__(
        self,
        matrices: Mapping[str, nn.Parameter],
        pattern: Pattern,
        criterion: Callable[[Tensor], Tensor] = magnitude,
    ) -> None:
        """Start with nothing removed.

        Args:
            matrices: Name -> weight of shape [out_features, in_features].
            pattern: Which weights go together.
            criterion: Weight -> importance of the same shape.

        Raises:
            InputError: The pattern does not divide one of the matrices.
        """
        self._matrices = matrices
        self._pattern = pattern
        self._criterion = criterion
        self._masks = {name: pattern.mask(criterion(weight), 0) for name, weight in matrices.items()}

    @property
    def sparsity(self) -> float:
        """Share of the weights that the masks remove."""
        kept = sum(int(mask.count_nonzero()) for mask in self._masks.values())
        return 1 - kept / sum(mask.numel() for mask in self._masks.values())

    def prune(self, sparsity: float) -> None:
        """Draw every matrix's mask at this sparsity, and apply it."""
        for name, weight in self._matrices.items():
            self._masks[name] = self._pattern.mask(self._criterion(weight), sparsity)
        self.apply()

    @torch.no_grad()
    def apply(self) -> None:
        """Set removed weights to zero again, after an optimizer step moved them."""
        for name, weight in self._matrices.items():
            weight.mul_(self._masks[name])

    def save(self, path: Path) -> None:
        """Write the masks."""
        save_file(self._masks, path)

    def load(self, path: Path) -> None:
        """Read the masks that `save` wrote."""
        self._masks = load_file(path)
