"""Second-order pruning of the loss: Kurtic et al., "The Optimal BERT Surgeon" (EMNLP 2022)."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from kaprune_edge.heads import read_choices
from kaprune_edge.pruning.text_criterion import TextCriterion
from kaprune_edge.sparsity.patterns import Blocks, Pattern

BLOCK = 50
"""Weights in a diagonal block of the Fisher matrix, as in the paper's section 4."""
DAMPING = 1.0
MOST_BYTES = 4 << 30
CHUNK = 4096


class Fisher(TextCriterion):
    """Removes the weights that raise the loss least, and moves the others to make up for them.

    The loss is taken to second order, with the Fisher information in blocks on the diagonal as its
    curvature (section 3). The information is estimated from gradients on text whose labels are drawn from
    the teacher's own probabilities, so no labels are read, and it does not vanish where student and
    teacher agree.
    """

    def masks(
        self, matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Prune all matrices of the student; see `Criterion.masks`."""
        was_training = self._student.training
        self._student.eval()
        self._teacher.eval()
        layers = max(1, self._student.config.num_hidden_layers)
        masks: dict[str, Tensor] = {}
        moved: dict[str, Tensor] = {}
        for part in _parts(matrices, MOST_BYTES // len(self._batches)):
            gradients = self._gradients(part)
            for name, weight in part.items():
                moved[name], masks[name] = prune_by_fisher(
                    weight.detach(), gradients[name], pattern, sparsity[name]
                )
                self._on_layer(len(masks) * layers // len(matrices))
        with torch.no_grad():
            for name, weight in matrices.items():
                weight.copy_(moved[name])
        self._student.train(was_training)
        return masks

    def _gradients(self, matrices: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
        """Collect each batch's gradient of each matrix, [batches, out_features, in_features]."""
        gradients = {
            name: torch.empty(len(self._batches), *weight.shape, dtype=weight.dtype)
            for name, weight in matrices.items()
        }
        random = torch.Generator().manual_seed(0)
        for index, batch in enumerate(self._batches):
            with torch.no_grad():
                taught = read_choices(self._teacher(**batch), batch["attention_mask"])
            output = read_choices(self._student(**batch), batch["attention_mask"])
            loss = sampled_loss(output, taught, random)
            own = torch.autograd.grad(loss, [*matrices.values()])
            for kept, gradient in zip(gradients.values(), own, strict=True):
                kept[index] = gradient
        return gradients


def sampled_loss(output: Tensor, taught: Tensor, random: torch.Generator) -> Tensor:
    """Negative log-likelihood of targets drawn from what the teacher says, [choices, classes] both.

    Its gradient's second moment is the Fisher information. A lone class is a value, normal about the
    teacher's with unit variance.
    """
    if output.shape[-1] == 1:
        noise = torch.randn(taught.shape, generator=random)
        return functional.mse_loss(output, taught + noise) / 2
    target = taught.softmax(-1).multinomial(1, generator=random).flatten()
    return functional.cross_entropy(output, target)


def prune_by_fisher(
    weight: Tensor,
    gradients: Tensor,
    pattern: Pattern,
    sparsity: float,
    *,
    block: int = BLOCK,
    damping: float = DAMPING,
) -> tuple[Tensor, Tensor]:
    """Remove the weights with the least saliency and move the rest of each block to the new minimum.

    The saliency of a group Q is w_Q' ([F^-1]_QQ)^-1 w_Q / 2 (section 3.1). The update is the paper's for
    all that goes from a diagonal block together: -F^-1_{:,Q} ([F^-1]_QQ)^-1 w_Q, written for the weights S
    that stay as F_SS^-1 F_SQ w_Q.

    Args:
        weight: [out_features, in_features].
        gradients: [samples, out_features, in_features].
        pattern: Which weights go together; a group of R x C blocks lies within a diagonal block.
        sparsity: Share of the weights to remove.
        block: Weights in a diagonal block, about.
        damping: Added to the diagonal, in shares of its mean over the matrix, of squared gradients.

    Returns:
        The new weight, and the bool mask, True where kept; both [out_features, in_features].

    Raises:
        InputError: The matrix or the sparsity does not fit the pattern.
    """
    pattern.mask(weight, sparsity)
    layout = pattern if isinstance(pattern, Blocks) else Blocks()
    size = layout.rows * layout.columns
    width = size * max(1, block // size)

    def rows_of(matrix: Tensor) -> Tensor:
        """Give [diagonal blocks, width], groups together, zeros after the last."""
        flat = layout.blocked(matrix).flatten()
        return functional.pad(flat, (0, -len(flat) % width)).reshape(-1, width)

    def matrix_of(rows: Tensor) -> Tensor:
        groups = rows.flatten()[: weight.numel()].reshape(-1, weight.shape[1] // layout.columns, size)
        return layout.unblocked(groups)

    samples = torch.stack([rows_of(gradient) for gradient in gradients], dim=1)
    spread = samples.square().mean().sqrt()
    samples /= torch.where(spread > 0, spread, 1)

    def by_chunk(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        """Apply a function of some diagonal blocks' Fisher information and rows to all, little by little."""
        chunks = zip(*(each.split(CHUNK) for each in (samples, *rows)), strict=True)
        return torch.cat([function(_fisher(part, damping), *own) for part, *own in chunks])

    weights = rows_of(weight)
    saliency = by_chunk(partial(_saliency, size), weights)
    mask = pattern.mask(matrix_of(saliency), sparsity)
    moved = by_chunk(_moved, weights, rows_of(mask.to(weight.dtype)))
    return matrix_of(moved), mask


def _fisher(gradients: Tensor, damping: float) -> Tensor:
    """Estimate diagonal blocks, [blocks, width, width], from gradients, [blocks, samples, width]."""
    fisher = gradients.transpose(1, 2) @ gradients / gradients.shape[1]
    fisher.diagonal(dim1=1, dim2=2).add_(damping)
    return fisher


def _saliency(size: int, fisher: Tensor, weights: Tensor) -> Tensor:
    """Rise of the loss when a group of `size` weights goes, spread over it; [blocks, width]."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(fisher))
    groups = weights.unflatten(1, (-1, size))
    count = groups.shape[1]
    own = inverse.unflatten(1, (count, size)).unflatten(3, (count, size)).diagonal(dim1=1, dim2=3)
    solved = torch.linalg.solve(own.permute(0, 3, 1, 2), groups.unsqueeze(-1)).squeeze(-1)
    saliency = (groups * solved).sum(dim=-1, keepdim=True) / 2
    return (saliency / size).expand_as(groups).flatten(1)


def _moved(fisher: Tensor, weights: Tensor, kept: Tensor) -> Tensor:
    """Remove all but the kept weights and minimise the quadratic loss over those; [blocks, width]."""
    removed = weights * (1 - kept)
    pull = kept * (fisher @ removed.unsqueeze(-1)).squeeze(-1)
    system = fisher * kept.unsqueeze(1) * kept.unsqueeze(2) + torch.diag_embed(1 - kept)
    return kept * weights + torch.cholesky_solve(pull.unsqueeze(-1), torch.linalg.cholesky(system)).squeeze(
        -1
    )


def _parts(matrices: Mapping[str, nn.Parameter], most_bytes: int) -> Iterator[dict[str, nn.Parameter]]:
    """Split matrices so that each part has about `most_bytes` at most."""
    part: dict[str, nn.Parameter] = {}
    for name, weight in matrices.items():
        if part and sum(each.nbytes for each in part.values()) + weight.nbytes > most_bytes:
            yield part
            part = {}
        part[name] = weight
    if part:
        yield part
