"""Text that pruning compares teacher and student on."""

from collections.abc import Mapping

import numpy as np
from datasets import Dataset
from torch import Tensor
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

TOKENS = 32_768
ROWS_A_BATCH = 64


def calibration_batches(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, seed: int
) -> list[Mapping[str, Tensor]]:
    """Choose random rows of about `TOKENS` tokens in all, in batches of similar length.

    Args:
        rows: Tokenized, with `length`.
        tokenizer: Pads the batches.
        seed: Of the choice.

    Returns:
        What the model reads, without labels.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    lengths = np.asarray(rows["length"])
    chosen = order[: np.searchsorted(lengths[order].cumsum(), TOKENS) + 1]
    chosen = chosen[np.argsort(lengths[chosen], kind="stable")]
    inputs = rows.select_columns([name for name in tokenizer.model_input_names if name in rows.column_names])
    collate = DataCollatorWithPadding(tokenizer)
    return [
        dict(collate([inputs[int(index)] for index in chosen[start : start + ROWS_A_BATCH]]))
        for start in range(0, len(chosen), ROWS_A_BATCH)
    ]
