"""What decides which weights go: one file a criterion."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from kaprune_edge.pruning.magnitude import magnitude
from kaprune_edge.pruning.reconstruction import Reconstruction
from kaprune_edge.sparsity.patterns import Pattern

Criterion = Callable[[Mapping[str, nn.Parameter], Pattern, float], Mapping[str, Tensor]]
"""Name -> weight [out_features, in_features], pattern and sparsity -> name -> bool mask, True where kept.

It may move the weights that it keeps to make up for those that go.
"""

CRITERIA: Mapping[str, Callable[..., Criterion]] = {
    "reconstruction": Reconstruction,
    "magnitude": lambda *_: magnitude,
}
"""Name in a recipe -> what makes the criterion, called as `Reconstruction` is."""
