"""The masks of a model under pruning: drawn, applied and kept."""

from collections.abc import Mapping, Set
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kaprune_edge.processes import broadcast
from kaprune_edge.pruning.criterion import Criterion
from kaprune_edge.sparsity.patterns import Pattern


class Pruner:
    """Holds one mask a matrix; a removed weight is exactly zero after every `apply`."""

    def __init__(self, matrices: Mapping[str, nn.Parameter], pattern: Pattern) -> None:
        """Start with nothing removed.

        Args:
            matrices: Name -> weight of shape [out_features, in_features].
            pattern: Which weights go together.

        Raises:
            InputError: The pattern does not divide one of the matrices.
        """
        self.matrices = matrices
        self._pattern = pattern
        self._keep({name: pattern.mask(weight.detach(), 0) for name, weight in matrices.items()})

    @property
    def masks(self) -> dict[str, Tensor]:
        """Name -> 1 where a weight is kept, 0 where it is removed."""
        return self._masks

    @property
    def sparsity(self) -> float:
        """Share of the weights that the masks remove."""
        return self._sparsity

    @property
    def sparsities(self) -> dict[str, float]:
        """Share of each matrix's weights that its mask removes."""
        return {name: 1 - float(mask.mean()) for name, mask in self.masks.items()}

    def prune(self, sparsity: Mapping[str, float], criterion: Criterion) -> None:
        """Draw every matrix's mask, the same in all processes, and apply it.

        Args:
            sparsity: Name -> share of the matrix's weights to remove.
            criterion: Chooses them.
        """
        masks = criterion.masks(self.matrices, self._pattern, sparsity)
        broadcast(masks.values())
        self._keep(masks)
        self.apply()

    @torch.no_grad()
    def apply(self, but: Set[str] = frozenset()) -> None:
        """Set removed weights to zero again, after an optimizer step moved them.

        Args:
            but: Names of matrices that it did not move.
        """
        moved = [name for name in self.matrices if name not in but]
        if moved:
            torch._foreach_mul_(
                [self.matrices[name] for name in moved], [self._masks[name] for name in moved]
            )

    def save(self, path: Path) -> None:
        """Write the masks."""
        save_file({name: mask.bool() for name, mask in self.masks.items()}, path)

    def load(self, path: Path) -> None:
        """Read the masks that `save` wrote."""
        self._keep(load_file(path))

    def _keep(self, masks: Mapping[str, Tensor]) -> None:
        """Hold masks in the type of the weights; PyTorch multiplies by bool far more slowly."""
        self._masks = {name: masks[name].to(weight.dtype) for name, weight in self.matrices.items()}
        kept = sum(int(mask.count_nonzero()) for mask in masks.values())
        self._sparsity = 1 - kept / sum(mask.numel() for mask in masks.values())
