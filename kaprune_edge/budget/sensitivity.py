"""What a matrix loses when so much of it goes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from kaprune_edge.encoder import encoder_layers, encoder_matrices
from kaprune_edge.heads import read_choices
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
    """Prune each matrix alone, by SparseGPT, and compare what the model computes on text.

    How the error grows with the sparsity is measured at the matrix's own outputs, as the share of their
    energy that is lost, |X (W - W')'|^2 / |X W'|^2: Kurtic et al., "ZipLM" (NeurIPS 2023), section 3.2. How
    much it matters is measured once, at the middle one of the sparsities, at what the model chooses between.

    Args:
        model: Dense; left as it is but in evaluation mode.
        batches: Tokenized text with `attention_mask`, without labels.
        pattern: Which weights go together.
        sparsities: Shares of the weights to remove.
        on_layer: Told how many layers are done.

    Returns:
        Shares of the energy of the logits, [matrices, sparsities], in the order of `encoder_matrices`.
    """
    model.eval()
    stream = TextStream(model, batches)
    wanted = _choices(model, batches)
    weights = iter(encoder_matrices(model).values())
    middle = len(sparsities) // 2
    errors = []
    for done, layer in enumerate(encoder_layers(model), 1):
        for stage in STAGES:
            ((inputs, _), *_) = stream.observe(layer, *stage)
            factor = inverse_factor(inputs)
            for weight in (next(weights) for _ in stage):
                pruned = [prune_columns(weight, factor, pattern, sparsity)[0] for sparsity in sparsities]
                own = np.array([_lost(inputs @ other.T, inputs @ weight.T) for other in pruned])
                dense = weight.clone()
                weight.copy_(pruned[middle])
                errors.append(own / own[middle] * _lost(_choices(model, batches), wanted))
                weight.copy_(dense)
        stream.advance(layer)
        on_layer(done)
    return np.stack(errors)


def _choices(model: PreTrainedModel, batches: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Give all of the model's logits, one after the other."""
    return torch.cat([read_choices(model(**batch), batch["attention_mask"]).flatten() for batch in batches])


def _lost(outputs: Tensor, wanted: Tensor) -> float:
    """Share of the energy of the wanted outputs that others lack."""
    return float((outputs - wanted).square().sum() / wanted.square().sum())
