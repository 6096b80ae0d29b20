"""More text to learn from: copies of a task's rows in which some words are replaced.

Jiao et al., "TinyBERT" (Findings of EMNLP 2020), section 3.2 and algorithm 1.
"""

from kaprune_edge.augmentation.augment import Augmented, augment
from kaprune_edge.augmentation.recipe import AugmentRecipe

__all__ = ["AugmentRecipe", "Augmented", "augment"]
