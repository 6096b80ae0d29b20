"""What a criterion is: it decides which weights go."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from kaprune_edge.sparsity.patterns import Pattern


class Criterion(Protocol):
    """Chooses masks; one that learns from the training also watches its steps."""

    needs_all_gradients: bool = False
    """Whether `observe` reads the gradients of removed weights too, which cost a step in dense matrices."""

    def masks(
        self, matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Choose the weights to keep, and move them if that makes up for those that go.

        Args:
            matrices: Name -> weight, [out_features, in_features].
            pattern: Which weights go together.
            sparsity: Name -> share of the weights to remove.

        Returns:
            Name -> bool [out_features, in_features], True where kept.

        Raises:
            InputError: A matrix or a sparsity does not fit the pattern.
        """
        ...

    def observe(self, matrices: Mapping[str, nn.Parameter]) -> None:
        """See the gradients of a training step, before the optimizer moves the weights.

        Removed weights are zero, and so are their gradients unless the criterion needs them.
        """
        return

    def state(self) -> dict[str, Tensor]:
        """Give what `load` needs for an interrupted training to go on as if it had not been."""
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        return
