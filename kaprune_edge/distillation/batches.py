"""Batches of rows of similar length, so that little is padded."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from datasets import Dataset, List
from torch.utils.data import Sampler
from transformers import (
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
)

from kaprune_edge.processes import part


class LengthBuckets(Sampler[int]):
    """Shuffles rows so that neighbours, hence batches, have similar lengths.

    The order follows from the seed and the epoch alone, so an interrupted training finds its place again.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Order rows of `lengths` tokens for batches of `batch_size`."""
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self._seed, self._epoch])
        jitter = random.uniform(0.8, 1.25, len(self._lengths))
        order = np.argsort(self._lengths * jitter, kind="stable")
        whole = len(order) - len(order) % self._batch_size
        batches = order[:whole].reshape(-1, self._batch_size)
        return iter([*random.permutation(batches).flatten().tolist(), *order[whole:].tolist()])


def padding(rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> Callable:
    """Choose what pads this process's part of a batch, labels too where every token has one."""
    token_labels = isinstance(rows.features.get("labels"), List)
    pad = (DataCollatorForTokenClassification if token_labels else DataCollatorWithPadding)(tokenizer)
    return lambda batch: pad(part(batch))
