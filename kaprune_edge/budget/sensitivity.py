"""What a model loses when so much of a matrix goes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.heads import read_choices
from kaprune_edge.pruning.fisher import sampled_loss
from kaprune_edge.sparsity.patterns import Blocks

ROWS_A_GRADIENT = 8


def measure_errors(
    model: PreTrainedModel,
    batches: Sequence[Mapping[str, Tensor]],
    pattern: Blocks,
    kept: np.ndarray,
    on_batch: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """Add up what each matrix's least salient blocks cost.

    A weight that goes raises the loss by about F w^2 / 2, where F is its Fisher information: LeCun, Denker
    and Solla, "Optimal Brain Damage" (NIPS 1989), section 2, with the curvature of Theis et al., "Faster gaze
    prediction with dense networks and Fisher pruning" (2018), section 2. The information comes from gradients
    on text whose labels are drawn from what the model says, so no labels are read.

    Args:
        model: Dense; left as it is but in evaluation mode.
        batches: Tokenized text with `attention_mask`, without labels.
        pattern: Which weights go together.
        kept: Shares of a matrix's weights to keep.
        on_batch: Told how many batches are done.

    Returns:
        Rise of the loss, summed over the texts, [matrices, shares], in the order of `encoder_matrices`.
    """
    model.eval()
    matrices = encoder_matrices(model)
    information = [torch.zeros_like(weight) for weight in matrices.values()]
    random = torch.Generator().manual_seed(0)
    for done, batch in enumerate(batches, 1):
        parts = zip(*(values.split(ROWS_A_GRADIENT) for values in batch.values()), strict=True)
        for part in (dict(zip(batch, values, strict=True)) for values in parts):
            output = read_choices(model(**part), part["attention_mask"])
            loss = len(output) * sampled_loss(output, output.detach(), random)
            gradients = torch.autograd.grad(loss, [*matrices.values()])
            for own, gradient in zip(information, gradients, strict=True):
                own.addcmul_(gradient, gradient)
        on_batch(done)
    return np.stack(
        [
            _errors(pattern.blocked(own * weight.detach().square() / 2).sum(dim=-1), kept)
            for own, weight in zip(information, matrices.values(), strict=True)
        ]
    )


def _errors(saliency: Tensor, kept: np.ndarray) -> np.ndarray:
    """Sum the saliencies of the blocks that go when the best shares are kept."""
    rising = np.concatenate([[0], saliency.flatten().sort().values.double().cumsum(0).numpy()])
    return rising[len(rising) - 1 - np.round(kept * saliency.numel()).astype(int)]
