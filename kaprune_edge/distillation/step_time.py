"""Measures how long a training step takes on this machine, so that a training can be planned."""

import time
from itertools import cycle, islice

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.distillation.batches import LengthBuckets, padding
from kaprune_edge.distillation.training import Loss

_STEPS = 4
"""Steps to time; the first one also warms up."""


def step_seconds(
    model: PreTrainedModel,
    loss: Loss,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    batch_size: int,
    seed: int,
) -> float:
    """Time a few training steps without changing any weight.

    Args:
        model: Gets gradients, which are removed again.
        loss: What the training minimises.
        rows: Tokenized, with `length`.
        tokenizer: Pads the batches.
        batch_size: Rows a step.
        seed: Of the choice of rows.

    Returns:
        Mean seconds a step. A few batches vary in length, so their times are scaled to the mean length.
    """
    collate, inputs = padding(rows, tokenizer), rows.remove_columns("length")
    lengths = list(rows["length"])
    order = cycle(LengthBuckets(lengths, batch_size, seed))
    seconds, tokens = 0.0, 0
    for step in range(_STEPS):
        chosen = list(islice(order, batch_size))
        batch = collate([inputs[index] for index in chosen])
        start = time.monotonic()
        loss(model, batch, 0.0).backward()
        if step:
            seconds += time.monotonic() - start
            tokens += sum(lengths[index] for index in chosen)
    model.zero_grad(set_to_none=True)
    mean = sum(lengths) / len(lengths) * min(batch_size, len(lengths))
    return seconds * mean / tokens
