"""What tasks whose answers lie inside the text have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from kaprune_edge.tasks.task import Task
from kaprune_runtime.token_model import TokenModel
from kaprune_runtime.windows import Window


class TokenLevelTask(Task, ABC):
    """A task for models with an output for every token, which see long texts in windows."""

    @abstractmethod
    def encode(self, split: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
        """Turn rows into what such a model is trained on: windows, with the targets of its own loss.

        Args:
            split: `train`, `evaluation` or rows of the same columns.
            tokenizer: The model's own.
            max_length: Tokens of a window, special ones included.

        Returns:
            `input_ids`, `attention_mask`, `token_type_ids` where the tokenizer makes them, the targets, and
            `length`, the window's number of tokens.
        """

    @abstractmethod
    def tell(self, model: TokenModel, max_length: int, on_done: Callable[[int], object]) -> list[Any]:
        """Have a model answer the evaluation rows.

        Args:
            model: On any engine.
            max_length: Tokens of a window.
            on_done: Told of the windows done.

        Returns:
            The answer to each row.

        Raises:
            KapruneError: An output is not finite.
        """

    @abstractmethod
    def wanted(self, split: Dataset) -> list[Any]:
        """Give the right answer to each row of a split."""

    @abstractmethod
    def judge(self, told: Sequence[Any], wanted: Sequence[Any]) -> dict[str, float]:
        """Compare answers with the right ones.

        Returns:
            The value of every metric, a fraction in 0..1, the headline first.
        """

    def measure(
        self, model: TokenModel, max_length: int, on_done: Callable[[int], object]
    ) -> dict[str, float]:
        """Have a model answer the evaluation rows, and judge it; see `tell` and `judge`."""
        return self.judge(self.tell(model, max_length, on_done), self.wanted(self.evaluation))

    def _checked(self, model: TokenModel) -> TokenModel:
        """The model, whose outputs are to be finite."""

        def forward(feeds: Mapping[str, np.ndarray]) -> np.ndarray:
            outputs = model.forward(feeds)
            self.check_finite(outputs)
            return outputs

        return replace(model, forward=forward)


def window_rows(
    cut: Sequence[Window], tokenizer: PreTrainedTokenizerBase, targets: dict[str, list]
) -> Dataset:
    """Make the table of windows that a model is trained on, [windows] in each of `targets`."""
    encodings = [window.encoding for window in cut]
    columns = {
        "input_ids": [encoding.ids for encoding in encodings],
        "token_type_ids": [encoding.type_ids for encoding in encodings],
        "attention_mask": [encoding.attention_mask for encoding in encodings],
    }
    inputs = {name: ids for name, ids in columns.items() if name in tokenizer.model_input_names}
    lengths = [len(encoding.ids) for encoding in encodings]
    return Dataset.from_dict({**inputs, **targets, "length": lengths})
