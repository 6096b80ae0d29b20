"""Text in, label out."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaprune_runtime.deployment import MODEL, ModelConfig, read_config
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT
from kaprune_runtime.providers import CPU
from kaprune_runtime.session import finite, input_names, run, session
from kaprune_runtime.tokenization import TextEncoder, pad


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text."""

    label: str
    """The likeliest label; in regression the name of the predicted quantity."""
    score: float
    """The label's probability; in regression the predicted value."""
    scores: dict[str, float]
    """The same for every label."""


class Classifier:
    """A deployment that classifies, or scores, texts or pairs of texts."""

    def __init__(self, folder: str | Path, *, threads: int = 1, provider: str = CPU) -> None:
        """Load the model and its tokenizer; see `session` for the arguments and errors."""
        self._read(Path(folder))
        self._session = session(folder, threads=threads, provider=provider)
        self._inputs: Collection[str] = input_names(self._session)

    def _read(self, folder: Path) -> None:
        self.config = read_config(folder, TEXT)
        self._encoder = TextEncoder(folder, self.config.max_tokens)

    def _run(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        return run(self._session, feeds)

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
        batch_size: int = 32,
        on_done: Callable[[int], object] | None = None,
    ) -> np.ndarray:
        """Compute the raw outputs; texts of like length share a batch.

        Args:
            texts: First or only texts.
            pairs: Second texts, as many.
            max_length: Tokens to keep of each, special ones included; as many as the model takes when None.
            batch_size: Texts in one run.
            on_done: Called after each run with the number of texts done.

        Returns:
            float32 [texts, labels], in the order of `texts`.

        Raises:
            InputError: An argument does not fit, the model was trained on pairs and gets none or the other
                way round, or config.json and the model disagree.
            KapruneError: ONNX Runtime failed, or an output is not finite.
        """
        if batch_size < 1:
            raise InputError(f"a batch of {batch_size} texts is impossible; give 1 or more")
        self.config.check_texts(pairs)
        encodings = self._encoder.encode(texts, pairs, max_length)
        order = np.argsort([len(encoding.ids) for encoding in encodings], kind="stable")
        logits = np.empty((len(encodings), len(self.config.labels)), np.float32)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            feeds = pad(
                [encodings[index] for index in batch],
                self._inputs,
                self.config.pad_id,
                token_types=self._encoder.token_types,
            )
            output = self._run(feeds)
            if output.shape != (len(batch), logits.shape[1]):
                raise InputError(
                    f"config.json names {logits.shape[1]} labels but {MODEL} gives "
                    f"{list(output.shape)}; export the model again"
                )
            logits[batch] = finite(output)
            if on_done is not None:
                on_done(start + len(batch))
        return logits


def predictions(logits: np.ndarray, config: ModelConfig) -> list[Prediction]:
    """Read what a model says of each text from its raw outputs, [texts, labels]."""
    return [
        Prediction(
            label=config.labels[best := int(scores.argmax())],
            score=float(scores[best]),
            scores=dict(zip(config.labels, scores.tolist(), strict=True)),
        )
        for scores in _scores(logits, config.problem_type)
    ]


def columns(prediction: Prediction, config: ModelConfig, *, digits: int) -> list[str]:
    """Write a prediction for a line: its label and probability, or a regression's values with their names."""
    if config.problem_type != "regression" and len(config.labels) > 1:
        return [prediction.label, f"{prediction.score:.{digits}f}"]
    written = [(name, f"{value:.{digits}f}") for name, value in prediction.scores.items()]
    return [written[0][1]] if config.labels == ("LABEL_0",) else [part for pair in written for part in pair]


def _scores(logits: np.ndarray, problem_type: str) -> np.ndarray:
    """Turn logits into probabilities, or leave the values of a regression, as transformers' pipeline does."""
    if problem_type == "regression":
        return logits
    if problem_type == "multi_label_classification":
        return (1 + np.tanh(logits.astype(np.float64) / 2)) / 2  # the sigmoid, without overflow
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
