"""Linear modules that read their kept weights alone, forwards and backwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from kaprune_edge.sparse_training.rows import SparseRows, available

SPARSE_ENOUGH = 0.85
"""Share of removed weights from which on they are passed over. That whole products in a processor's bfloat16
take about as long here is extrapolated from 90 and 95 % (benchmarks/pruning)."""


def multiply_kept(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Have linear modules multiply by their kept weights alone, in float32, until `multiply_whole`.

    A weight stays a dense parameter and gets a dense gradient, zero where it is removed. Matrices that
    are not sparse enough stay as they are, and all do where there is no native library.

    Args:
        model: Has the modules; their removed weights are zero.
        masks: Parameter name -> nonzero where a weight is kept, [out_features, in_features].
    """
    if not available():
        return
    for name, mask in masks.items():
        if mask.count_nonzero() <= (1 - SPARSE_ENOUGH) * mask.numel():
            linear = _linear(model, name)
            vars(linear)["forward"] = partial(_multiply, linear, _Kept.of(mask))


def multiply_whole(model: nn.Module, names: Iterable[str]) -> None:
    """Undo `multiply_kept` for some parameters, if need be."""
    for name in names:
        vars(_linear(model, name)).pop("forward", None)


def _linear(model: nn.Module, parameter: str) -> nn.Linear:
    return cast(nn.Linear, model.get_submodule(parameter.removesuffix(".weight")))


def _multiply(linear: nn.Linear, kept: "_Kept", x: Tensor) -> Tensor:
    return cast(Tensor, _Product.apply(x.float(), linear.weight, linear.bias, kept))


@dataclass(frozen=True)
class _Kept:
    """The kept weights of a matrix and of its transpose."""

    rows: SparseRows
    places: Tensor
    """Where in the flattened matrix the weights of `rows` are."""
    transposed: SparseRows
    order: Tensor
    """Which of the weights of `rows` those of `transposed` are."""

    @classmethod
    def of(cls, mask: Tensor) -> "_Kept":
        kept = mask != 0
        places = kept.flatten().nonzero()[:, 0]
        number = (kept.flatten().cumsum(0) - 1).view_as(kept)
        return cls(SparseRows.of(kept), places, SparseRows.of(kept.T), number.T[kept.T])


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kept: _Kept) -> Tensor:
        by_token = x.reshape(-1, x.shape[-1]).contiguous()
        values = weight.flatten().index_select(0, kept.places)
        ctx.save_for_backward(by_token, values)
        ctx.kept = kept
        return kept.rows.multiply(values, by_token, bias).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, values = ctx.saved_tensors
        kept: _Kept = ctx.kept
        by_token = dy.reshape(-1, dy.shape[-1]).contiguous()
        dx = kept.transposed.multiply(values.index_select(0, kept.order), by_token)
        gradient = dy.new_zeros(kept.rows.shape)
        gradient.view(-1).index_copy_(0, kept.places, kept.rows.gradient(x, by_token))
        return dx.view(*dy.shape[:-1], -1), gradient, by_token.sum(0), None
