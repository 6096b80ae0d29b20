"""A promise instead of a sparsity: the fastest deployment that loses at most so many points."""

from kaprune_edge.compress.compress import compress
from kaprune_edge.compress.recipe import CompressRecipe
from kaprune_edge.compress.result import Compression

__all__ = ["CompressRecipe", "Compression", "compress"]
