"""Which weights a mask may remove together: single ones, R x C blocks, or M - N of every M."""

import re
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from kaprune_runtime.errors import InputError


class Pattern(Protocol):
    """A rule that turns an importance score per weight into a mask."""

    def mask(self, scores: Tensor, sparsity: float) -> Tensor:
        """Keep the most important weights.

        Args:
            scores: Importance of each weight, shape [out_features, in_features].
            sparsity: Share of the weights to remove, in [0, 1].

        Returns:
            bool tensor of the same shape, True where a weight is kept.

        Raises:
            InputError: The matrix or the sparsity does not fit the pattern.
        """
        ...

    def slab(self, width: int) -> int:
        """Tell how many neighbouring inputs to choose a mask for, where inputs are taken in turn.

        Args:
            width: The number to come near to.
        """
        ...


@dataclass(frozen=True)
class Blocks:
    """Whole blocks of `rows` outputs by `columns` inputs are kept or removed; 1 x 1 is unstructured."""

    rows: int = 1
    columns: int = 1

    def __str__(self) -> str:
        return "unstructured" if self.rows == self.columns == 1 else f"{self.rows}x{self.columns}"

    def mask(self, scores: Tensor, sparsity: float) -> Tensor:
        """Rank blocks by the sum of their scores and keep the best; see `Pattern.mask`."""
        check_sparsity(sparsity)
        height, width = scores.shape
        if height % self.rows or width % self.columns:
            raise InputError(
                f"pattern {self} does not divide a {height} x {width} matrix; "
                "choose a block whose sides divide every pruned matrix"
            )
        kept = _largest(self.blocked(scores).sum(dim=-1), sparsity)
        return kept.repeat_interleave(self.rows, 0).repeat_interleave(self.columns, 1)

    def slab(self, width: int) -> int:
        """Whole blocks; see `Pattern.slab`."""
        return self.columns * max(1, width // self.columns)

    def blocked(self, matrix: Tensor) -> Tensor:
        """Rearrange a matrix that the blocks divide as [out / rows, in / columns, rows * columns]."""
        height, width = matrix.shape
        split = matrix.reshape(height // self.rows, self.rows, width // self.columns, self.columns)
        return split.transpose(1, 2).flatten(2)

    def unblocked(self, blocks: Tensor) -> Tensor:
        """Undo `blocked`."""
        split = blocks.unflatten(2, (self.rows, self.columns)).transpose(1, 2)
        return split.flatten(2).flatten(0, 1)


@dataclass(frozen=True)
class NofM:
    """At most `kept` of every `group` consecutive inputs survive, as in 2:4 (Mishra et al., 2021)."""

    kept: int
    group: int

    def __str__(self) -> str:
        return f"{self.kept}:{self.group}"

    @property
    def sparsity(self) -> float:
        """The only sparsity that this pattern has when complete."""
        return 1 - self.kept / self.group

    def mask(self, scores: Tensor, sparsity: float) -> Tensor:
        """Keep the best of every group, fewer while `sparsity` is still on its way up; see `Pattern.mask`.

        Up to the pattern's own sparsity, 1 - kept / group, the smallest weights among those that the
        pattern would remove go first, so that a gradual schedule ends exactly in the pattern.
        """
        check_sparsity(sparsity)
        if sparsity > self.sparsity + 1e-6:
            raise InputError(
                f"pattern {self} removes {self.sparsity:.0%} of the weights, not {sparsity:.0%}; "
                f"ask for --sparsity {self.sparsity:g} or another pattern"
            )
        height, width = scores.shape
        if width % self.group:
            raise InputError(f"pattern {self} does not divide {width} inputs; choose another pattern")
        groups = scores.reshape(height, width // self.group, self.group)
        rank = groups.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1, stable=True)
        survivor = (rank < self.kept).reshape(scores.shape)
        return _largest(torch.where(survivor, torch.inf, scores), sparsity)

    def slab(self, width: int) -> int:
        """Always one group, the smallest that a mask can be chosen for; see `Pattern.slab`."""
        return self.group


def parse_pattern(text: str) -> Blocks | NofM:
    """Read `unstructured`, `RxC` (rows are outputs) or `N:M`.

    Raises:
        InputError: The text is none of these.
    """
    if text == "unstructured":
        return Blocks()
    if (match := re.fullmatch(r"([1-9]\d{0,2})x([1-9]\d{0,2})", text)) is not None:
        return Blocks(int(match[1]), int(match[2]))
    if (match := re.fullmatch(r"([1-9]\d?):([1-9]\d?)", text)) and int(match[1]) < int(match[2]):
        return NofM(int(match[1]), int(match[2]))
    raise InputError(f"unknown pattern '{text}'; use unstructured, RxC such as 4x1, or N:M such as 2:4")


def check_sparsity(sparsity: float) -> None:
    """Raise InputError unless 0 <= sparsity < 1 (a matrix without weights computes nothing)."""
    if not 0 <= sparsity < 1:
        raise InputError(f"sparsity {sparsity:g} is impossible; give a share from 0 up to, not including, 1")


def _largest(scores: Tensor, sparsity: float) -> Tensor:
    """Mark the round((1 - sparsity) * n) largest scores."""
    kept = round((1 - sparsity) * scores.numel())
    mask = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    mask[scores.flatten().topk(kept, sorted=False).indices] = True
    return mask.reshape(scores.shape)
