"""The product of a linear module that has kept weights alone, forwards and backwards."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from kaprune_edge.sparse_training.rows import SparseRows


@dataclass(frozen=True)
class Kept:
    """Where the kept weights of a matrix and of its transpose are."""

    rows: SparseRows
    places: Tensor
    """Where in the flattened matrix the weights of `rows` are."""
    transposed: SparseRows
    order: Tensor
    """Which of the weights of `rows` those of `transposed` are."""

    @classmethod
    def of(cls, mask: Tensor) -> "Kept":
        """Find the nonzero elements of a mask, [out_features, in_features]."""
        places = mask.flatten().nonzero()[:, 0]
        rows, columns = places // mask.shape[1], places % mask.shape[1]
        order = columns.argsort(stable=True)
        return cls(
            SparseRows.of(rows, columns, mask.shape),
            places,
            SparseRows.of(columns[order], rows[order], mask.T.shape),
            order,
        )

    def pick(self, matrix: Tensor) -> Tensor:
        """Take the kept elements out of a matrix, [kept]."""
        return matrix.flatten().index_select(0, self.places)

    def spread(self, values: Tensor) -> Tensor:
        """Put kept elements into a matrix that is zero elsewhere."""
        rows, columns = self.rows.shape
        return values.new_zeros(rows * columns).index_copy_(0, self.places, values).view(rows, columns)


def multiply(linear: nn.Linear, kept: Kept, x: Tensor) -> Tensor:
    """Do what a linear module does whose `weight` has the kept weights alone, in float32."""
    return cast(Tensor, _Product.apply(x.float(), linear.weight, linear.bias, kept))


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor, kept: Kept) -> Tensor:
        by_token = x.reshape(-1, x.shape[-1]).contiguous()
        ctx.save_for_backward(by_token, values)
        ctx.kept = kept
        return kept.rows.multiply(values, by_token, bias).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, values = ctx.saved_tensors
        kept: Kept = ctx.kept
        by_token = dy.reshape(-1, dy.shape[-1]).contiguous()
        dx = kept.transposed.multiply(values.index_select(0, kept.order), by_token)
        return dx.view(*dy.shape[:-1], -1), kept.rows.gradient(x, by_token), by_token.sum(0), None
