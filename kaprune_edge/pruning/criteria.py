"""The criteria by name: one file each."""

from collections.abc import Callable, Mapping

from kaprune_edge.pruning.criterion import Criterion
from kaprune_edge.pruning.fisher import Fisher
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.movement import Movement
from kaprune_edge.pruning.reconstruction import Reconstruction
from kaprune_edge.pruning.soft_movement import SoftMovement
from kaprune_edge.pruning.sparsegpt import SparseGPT

CRITERIA: Mapping[str, Callable[..., Criterion]] = {
    "reconstruction": Reconstruction,
    "sparsegpt": SparseGPT,
    "fisher": Fisher,
    "movement": lambda *_: Movement(),
    "soft-movement": lambda *_: SoftMovement(),
    "magnitude": lambda *_: Magnitude(),
}
"""Name in a recipe -> what makes the criterion, called as `TextCriterion` is."""
