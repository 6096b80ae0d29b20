"""Text to model inputs with the deployment's own tokenizer.json."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from kaprune_runtime.deployment import TOKENIZER, verify
from kaprune_runtime.errors import InputError
from kaprune_runtime.tokenizer_settings import read_settings


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read tokenizer.json of a deployment.

    Raises:
        InputError: It is missing, changed or damaged.
    """
    verify(folder, TOKENIZER)
    try:
        return Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:
        raise InputError(f"{folder / TOKENIZER} is no tokenizer ({error}); export the model again") from error


class TextEncoder:
    """Encodes texts or pairs of texts as the Hugging Face tokenizer of the same folder does.

    Special tokens and token types come from the post-processor in tokenizer.json; the side that is cut,
    a shorter `model_max_length`, and whether token types are fed, from tokenizer_config.json, where there
    is one.
    """

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """Read the tokenizer.

        Args:
            folder: Deployment folder.
            max_tokens: Longest sequence that the model takes.

        Raises:
            InputError: tokenizer.json is missing, changed or damaged.
        """
        self._tokenizer = read_tokenizer(folder)
        settings = read_settings(folder)
        self._direction = settings.truncation_side or "right"
        self._max_tokens = max_tokens
        self._default_length = min(max_tokens, settings.model_max_length or max_tokens)
        self.token_types = settings.token_types

    def encode(
        self, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int | None
    ) -> list[Encoding]:
        """Tokenize, cutting the longer text of a pair first.

        Args:
            texts: First or only texts.
            pairs: Second texts, as many.
            max_length: Tokens to keep, special ones included; as many as the model takes when None.

        Raises:
            InputError: The lengths of the two lists differ, a text is not a string, or `max_length` does
                not fit the model.
        """
        if isinstance(texts, str) or isinstance(pairs, str):
            raise InputError("give a list of texts, not one text")
        if pairs is not None and len(pairs) != len(texts):
            raise InputError(f"{len(texts)} texts have {len(pairs)} second texts; give as many of both")
        if not all(isinstance(text, str) for text in (*texts, *(pairs or ()))):
            raise InputError("every text must be a string")
        length = self._default_length if max_length is None else max_length
        shortest = self._tokenizer.num_special_tokens_to_add(pairs is not None) + 1
        if not shortest <= length <= self._max_tokens:
            raise InputError(
                f"the model takes {shortest} to {self._max_tokens} tokens, not {length}; "
                "change the maximum length"
            )
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(length, direction=self._direction)
        inputs = texts if pairs is None else list(zip(texts, pairs, strict=True))
        encodings = self._tokenizer.encode_batch(list(inputs))
        for number, encoding in enumerate(encodings, start=1):
            if not encoding.ids:
                raise InputError(f"text {number} has no tokens; give a text with words")
        return encodings


def pad(
    encodings: Sequence[Encoding], names: Collection[str], pad_id: int, *, token_types: bool = True
) -> dict[str, np.ndarray]:
    """Pad on the right to the longest and keep what the model takes.

    Args:
        encodings: One batch, not empty.
        names: Names of the model's inputs.
        pad_id: Token id of padding.
        token_types: Whether second texts have a type of their own; see `TokenizerSettings`.

    Returns:
        int64 [batch, longest] for each of `names`.
    """
    shape = len(encodings), max(len(encoding.ids) for encoding in encodings)
    inputs = {
        "input_ids": np.full(shape, pad_id, np.int64),
        "attention_mask": np.zeros(shape, np.int64),
        "token_type_ids": np.zeros(shape, np.int64),
    }
    for row, encoding in enumerate(encodings):
        length = len(encoding.ids)
        inputs["input_ids"][row, :length] = encoding.ids
        inputs["attention_mask"][row, :length] = 1
        if token_types:
            inputs["token_type_ids"][row, :length] = encoding.type_ids
    return {name: inputs[name] for name in names}
