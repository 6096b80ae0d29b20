"""A task: texts with labels to learn from, texts with labels to be judged on, and how to judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from datasets import Dataset, Features, Value

from kaprune_edge.tasks.metrics import METRICS
from kaprune_runtime.errors import InputError, KapruneError
from kaprune_runtime.kinds import TEXT


@dataclass(frozen=True)
class Task:
    """Labelled texts or pairs of texts; tasks of other kinds derive from this.

    Attributes:
        kind: What a model for the task is for; see `kaprune_runtime.kinds`.
        name: What to call the task in tables and reports.
        text_columns: One column, or the two columns of a sentence pair.
        label_names: Name of each class, by class id; empty for regression.
        train: The rows to learn from: the text columns and `label` (class id, or a value for regression).
        evaluation: The rows to be judged on, same columns.
        metrics: What `score` reports, the headline metric first.
    """

    kind: ClassVar[str] = TEXT

    name: str
    text_columns: tuple[str, ...]
    label_names: tuple[str, ...]
    train: Dataset
    evaluation: Dataset
    metrics: tuple[str, ...]

    @property
    def is_regression(self) -> bool:
        """Whether labels are values, not classes."""
        return not self.label_names

    @property
    def num_labels(self) -> int:
        """Width of the classifier: the number of classes, 1 for regression."""
        return len(self.label_names) or 1

    def score(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Judge a model's outputs.

        Args:
            logits: Shape [n, num_labels].
            labels: Shape [n].

        Returns:
            The value of every metric: a fraction in 0..1, or a correlation in -1..1.

        Raises:
            KapruneError: A logit is not finite.
        """
        self.check_finite(logits)
        predictions = logits[:, 0] if self.is_regression else logits.argmax(axis=1)
        return {metric: float(METRICS[metric](predictions, labels)) for metric in self.metrics}

    def check_finite(self, logits: np.ndarray) -> None:
        """Raise KapruneError unless all outputs of a model are numbers."""
        if not np.isfinite(logits).all():
            raise KapruneError(
                f"the model's outputs on {self.name} are not finite: its training diverged; "
                "lower the learning rate"
            )

    def check_rows(self) -> None:
        """Raise InputError if nothing can be learned or judged from the rows."""
        for part, split in (("training", self.train), ("evaluation", self.evaluation)):
            if not len(split):
                raise InputError(f"{self.name} has no {part} rows; give a file with labelled rows")
        if self.has_one_label():
            raise InputError(
                f"the training rows of {self.name} all have the same label; give rows of every class"
            )

    def has_one_label(self) -> bool:
        """Whether all training rows have the same label."""
        return len(set(self.train["label"])) < 2


def rows(texts: Mapping[str, Sequence[str]], labels: Sequence[int] | Sequence[float]) -> Dataset:
    """Make an in-memory table of text columns and `label`."""
    kind = "int64" if all(isinstance(label, int) for label in labels) else "float64"
    features = Features({**{column: Value("string") for column in texts}, "label": Value(kind)})
    return Dataset.from_dict({**texts, "label": labels}, features=features)


def class_ids(labels: Sequence[str], label_names: Sequence[str], source: str) -> list[int]:
    """Look up each label's class id.

    Args:
        labels: The label of each row.
        label_names: The classes, in the order of their ids.
        source: Where the rows come from, for the message.

    Raises:
        InputError: A label is none of the classes.
    """
    ids = {name: index for index, name in enumerate(label_names)}
    unknown = [label for label in labels if label not in ids]
    if unknown:
        known = ", ".join(label_names[:8]) + (", ..." if len(label_names) > 8 else "")
        raise InputError(f"{source} has the unknown label '{unknown[0]}'; it must be one of {known}")
    return [ids[label] for label in labels]
