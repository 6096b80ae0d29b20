"""Criteria that look at what a model computes on text."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor
from transformers import PreTrainedModel

from kaprune_edge.pruning.criterion import Criterion


class TextCriterion(Criterion):
    """A criterion that knows the student, its teacher and some text."""

    def __init__(
        self,
        student: PreTrainedModel,
        teacher: PreTrainedModel,
        batches: Sequence[Mapping[str, Tensor]],
        on_layer: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Remember two models of one shape, and text to run them on.

        Args:
            student: The model whose matrices are pruned.
            teacher: What it should compute.
            batches: Tokenized text with `attention_mask`, without labels.
            on_layer: Told how many layers are done.
        """
        self._student = student
        self._teacher = teacher
        self._batches = batches
        self._on_layer = on_layer
