"""One-shot pruning column by column: Frantar and Alistarh, "SparseGPT" (ICML 2023)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kaprune_edge.encoder import encoder_layers
from kaprune_edge.pruning.stream import STAGES, TextStream
from kaprune_edge.pruning.text_criterion import TextCriterion
from kaprune_edge.sparsity.patterns import Pattern

SLAB = 128
DAMPING = 0.01


class SparseGPT(TextCriterion):
    """Keeps what each linear module computes on text; neither labels nor teacher are read.

    Layers are pruned in the order of computation, each on the inputs that the pruned ones before it give.
    """

    @torch.no_grad()
    def masks(
        self, matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Prune all matrices; `matrices` are the student's, in layer order. See `Criterion.masks`."""
        was_training = self._student.training
        self._student.eval()
        stream = TextStream(self._student, self._batches)
        names = iter(matrices)
        masks: dict[str, Tensor] = {}
        for done, layer in enumerate(encoder_layers(self._student), 1):
            for stage in STAGES:
                ((inputs, _), *_) = stream.observe(layer, *stage)
                factor = inverse_factor(inputs)
                for name in (next(names) for _ in stage):
                    weight, masks[name] = prune_columns(matrices[name], factor, pattern, sparsity[name])
                    matrices[name].copy_(weight)
            stream.advance(layer)
            self._on_layer(done)
        self._student.train(was_training)
        return masks


def inverse_factor(inputs: Tensor, damping: float = DAMPING) -> Tensor:
    """Factor the inverse Hessian of the squared error, (X'X + lambda I)^-1 = U'U, as section 3.3 uses it.

    Args:
        inputs: X, [samples, in_features].
        damping: Lambda in shares of the mean of the diagonal of X'X.

    Returns:
        U, upper triangular, [in_features, in_features].
    """
    hessian = inputs.T @ inputs
    hessian.diagonal().add_(damping * hessian.diagonal().mean())
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)


def prune_columns(weight: Tensor, factor: Tensor, pattern: Pattern, sparsity: float) -> tuple[Tensor, Tensor]:
    """Remove weights column by column; the columns that follow make up for each (algorithm 1).

    The mask is chosen for a slab of columns at a time, as the updates so far have left them, by the error
    that the removal of each weight causes, summed where the pattern removes several together.

    Args:
        weight: [out_features, in_features].
        factor: U of `inverse_factor`.
        pattern: Which weights go together.
        sparsity: Share of the weights to remove from each slab.

    Returns:
        The new weight, and the bool mask, True where kept; both [out_features, in_features].

    Raises:
        InputError: The matrix or the sparsity does not fit the pattern.
    """
    weight = weight.clone()
    mask = torch.ones_like(weight, dtype=torch.bool)
    width = pattern.slab(SLAB)
    for start in range(0, weight.shape[1], width):
        slab = slice(start, start + width)
        after = slice(start + width, None)
        pivots = factor.diagonal()[slab]
        mask[:, slab] = pattern.mask((weight[:, slab] / pivots).square(), sparsity)
        errors = torch.zeros_like(weight[:, slab])
        for column in range(errors.shape[1]):
            place = start + column
            errors[:, column] = weight[:, place].masked_fill(mask[:, place], 0) / pivots[column]
            weight[:, place : after.start] -= torch.outer(
                errors[:, column], factor[place, place : after.start]
            )
        weight[:, after] -= errors @ factor[slab, after]
    return weight * mask, mask
