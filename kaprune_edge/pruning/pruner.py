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
        self._masks: dict[str, Tensor] = {}
        self._draw(0)

    @property
    def sparsity(self) -> float:
        """Share of the weights that the masks remove."""
        return self._sparsity

    def prune(self, sparsity: float) -> None:
        """Draw every matrix's mask at this sparsity, and apply it."""
        self._draw(sparsity)
        self.apply()

    @torch.no_grad()
    def apply(self) -> None:
        """Set removed weights to zero again, after an optimizer step moved them."""
        for name, weight in self._matrices.items():
            weight.mul_(self._masks[name])

    def save(self, path: Path) -> None:
        """Write the masks."""
        save_file({name: mask.bool() for name, mask in self._masks.items()}, path)

    def load(self, path: Path) -> None:
        """Read the masks that `save` wrote."""
        self._keep(load_file(path))

    def _draw(self, sparsity: float) -> None:
        self._keep(
            {
                name: self._pattern.mask(self._criterion(weight), sparsity)
                for name, weight in self._matrices.items()
            }
        )

    def _keep(self, masks: Mapping[str, Tensor]) -> None:
        """Hold masks in the type of the weights; PyTorch multiplies by bool far more slowly."""
        self._masks = {name: masks[name].to(weight.dtype) for name, weight in self._matrices.items()}
        kept = sum(int(mask.count_nonzero()) for mask in masks.values())
        self._sparsity = 1 - kept / sum(mask.numel() for mask in masks.values())
