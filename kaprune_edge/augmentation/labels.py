"""Labels for new text by a teacher."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.augmentation.words import plain_tokenizer
from kaprune_edge.checkpoints import max_tokens
from kaprune_runtime.tokenization import pad

_DECIMALS = 4


class Labeller:
    """Predicts labels with a fine-tuned model. Threads can share it."""

    def __init__(self, teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Take a classifier or regressor and its tokenizer."""
        self._teacher = teacher.eval()
        self._tokenizer = plain_tokenizer(tokenizer, max_tokens(teacher.config))
        self._inputs = tokenizer.model_input_names
        self._pad_id = int(tokenizer.pad_token_id or 0)

    @torch.inference_mode()
    def __call__(self, rows: Sequence[Sequence[str]]) -> list[int] | list[float]:
        """Label rows of one or two texts, in one batch.

        Returns:
            The most probable class of each, or its value rounded to four decimals.
        """
        encodings = self._tokenizer.encode_batch([row[0] if len(row) == 1 else tuple(row) for row in rows])
        inputs = pad(encodings, self._inputs, self._pad_id)
        output: Any = self._teacher(**{name: torch.from_numpy(values) for name, values in inputs.items()})
        if self._teacher.config.num_labels == 1:
            return [round(value, _DECIMALS) for value in output.logits[:, 0].tolist()]
        return output.logits.argmax(dim=1).tolist()
