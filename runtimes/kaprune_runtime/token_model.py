"""Models with an output for every token."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from kaprune_runtime.deployment import MODEL, read_config
from kaprune_runtime.errors import InputError
from kaprune_runtime.providers import CPU
from kaprune_runtime.session import finite, input_names, run, session
from kaprune_runtime.tokenization import pad, read_tokenizer
from kaprune_runtime.tokenizer_settings import read_settings

Forward = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""From int64 inputs [batch, length] to float32 [batch, length, outputs]."""


@dataclass(frozen=True)
class TokenModel:
    """A model and what it takes to run it on text, whatever the engine."""

    tokenizer: Tokenizer
    forward: Forward
    inputs: Collection[str]
    """Names of what `forward` takes."""
    pad_id: int
    labels: tuple[str, ...]
    """Names of the outputs."""
    max_tokens: int
    token_types: bool = True
    """Whether second texts have a type of their own."""

    def length(self, wanted: int | None) -> int:
        """Give the tokens of a window: as many as the model takes when None.

        Raises:
            InputError: The model takes fewer.
        """
        if wanted is not None and wanted > self.max_tokens:
            raise InputError(
                f"the model takes up to {self.max_tokens} tokens, not {wanted}; lower the maximum length"
            )
        return wanted or self.max_tokens

    def outputs(
        self,
        encodings: Sequence[Encoding],
        *,
        batch_size: int = 32,
        on_done: Callable[[int], object] | None = None,
    ) -> list[np.ndarray]:
        """Run the model; encodings of like length share a batch.

        Args:
            encodings: With special tokens.
            batch_size: Encodings in one run.
            on_done: Called after each run with the number of encodings done.

        Returns:
            float32 [tokens, outputs] of each encoding, in their order.

        Raises:
            InputError: The model gives something else.
            KapruneError: It failed, or an output is not finite.
        """
        order = np.argsort([len(encoding.ids) for encoding in encodings], kind="stable")
        found = [np.empty((0, len(self.labels)), np.float32)] * len(encodings)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            feeds = pad(
                [encodings[index] for index in batch],
                self.inputs,
                self.pad_id,
                token_types=self.token_types,
            )
            outputs = self.forward(feeds)
            if outputs.shape != (*feeds["input_ids"].shape, len(self.labels)):
                raise InputError(
                    f"config.json names {len(self.labels)} outputs of a token but {MODEL} gives "
                    f"{list(outputs.shape)}; export the model again"
                )
            for index, rows in zip(batch, outputs, strict=True):
                found[index] = finite(rows[: len(encodings[index].ids)])
            if on_done is not None:
                on_done(start + len(batch))
        return found


def open_token_model(folder: Path, kind: str, *, threads: int = 1, provider: str = CPU) -> TokenModel:
    """Load a deployment.

    Args:
        folder: The deployment.
        kind: What it must be for.
        threads: Threads of one run.
        provider: Execution provider; see `session`.

    Raises:
        InputError: The deployment is missing, damaged or of another kind.
        KapruneError: The provider did not start.
    """
    config = read_config(folder, kind)
    tokenizer = read_tokenizer(folder)
    loaded = session(folder, threads=threads, provider=provider)
    return TokenModel(
        tokenizer=tokenizer,
        forward=lambda feeds: run(loaded, dict(feeds)),
        inputs=input_names(loaded),
        pad_id=config.pad_id,
        labels=config.labels,
        max_tokens=config.max_tokens,
        token_types=read_settings(folder).token_types,
    )
