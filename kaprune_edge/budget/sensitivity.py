"""What a matrix loses when so much of it goes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from kaprune_edge.encoder import encoder_layers, encoder_matrices
from kaprune_edge.pruning.sparsegpt import inverse_factor, prune_columns
from kaprune_edge.pruning.stream import STAGES, TextStream
from kaprune_edge.sparsity.patterns import Pattern


@torch.no_grad()
def measure_errors(
    model: PreTrainedModel,
    batches: Sequence[Mapping[str, Tensor]],
    pattern: Pattern,
    sparsities: Sequence[float],
    on_layer: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """Prune each matrix alone, by SparseGPT, and compare what its module computes on text.

    Args:
        model: Dense; left as it is but in evaluation mode.
        batches: Tokenized text with `attention_mask`, without labels.
        pattern: Which weights go together.
        sparsities: Shares of the weights to remove.
        on_layer: Told how many layers are done.

    Returns:
        Share of the outputs' energy that is lost, |X (W - W')'|^2 / |X W'|^2 as in Kurtic et al., "ZipLM"
        (NeurIPS 2023), section 3.2, [matrices, sparsities], in the order of `encoder_matrices`.
    """
    model.eval()
    stream = TextStream(model, batches)
    weights = iter(encoder_matrices(model).values())
    errors = []
    for done, layer in enumerate(encoder_layers(model), 1):
        for stage in STAGES:
            ((inputs, _), *_) = stream.observe(layer, *stage)
            factor = inverse_factor(inputs)
            for weight in (next(weights) for _ in stage):
                energy = (inputs @ weight.T).square().sum()
                pruned = [prune_columns(weight, factor, pattern, sparsity)[0] for sparsity in sparsities]
                lost = [(inputs @ (weight - other).T).square().sum() / energy for other in pruned]
                errors.append(torch.stack(lost).numpy())
        stream.advance(layer)
        on_layer(done)
    return np.stack(errors)
