"""A deployment on another machine that classifies texts of this one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kaprune_edge.devices.conversation import Conversation
from kaprune_edge.devices.process import Process
from kaprune_runtime.deployment import read_config
from kaprune_runtime.kinds import TEXT
from kaprune_runtime.pipeline import Prediction, predictions


class RemoteClassifier(Conversation):
    """Does what `kaprune_runtime.Classifier` does, elsewhere."""

    def __init__(self, folder: Path, process: Process) -> None:
        """Speak with `python -m kaprune_runtime classifier`.

        Args:
            folder: The deployment on this machine.
            process: Runs it there.

        Raises:
            InputError: config.json is missing or damaged, or the deployment is for something else.
        """
        super().__init__(str(folder), process)
        self.config = read_config(folder, TEXT)

    def __call__(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, max_length: int | None = None
    ) -> list[Prediction]:
        """Predict each text, or each pair; see `logits` for the arguments and errors."""
        return predictions(self.logits(texts, pairs, max_length=max_length), self.config)

    def logits(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        on_done: Callable[[int], object] | None = None,
    ) -> np.ndarray:
        """Have the raw outputs computed; see `kaprune_runtime.Classifier.logits`.

        Returns:
            float32 [texts, labels], in the order of `texts`.

        Raises:
            InputError: An argument does not fit, or the deployment is damaged.
            KapruneError: ONNX Runtime failed, the process was killed, or the connection broke.
        """
        self.config.check_texts(pairs)
        answer = self.ask({"texts": list(texts), "pairs": pairs and list(pairs), "max_length": max_length})
        while "done" in answer:
            if on_done is not None:
                on_done(answer["done"])
            answer = self.hear()
        return np.array(answer["logits"], np.float32).reshape(len(texts), len(self.config.labels))
