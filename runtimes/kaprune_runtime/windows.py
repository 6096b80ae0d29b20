"""Long texts in overlapping windows that a model can take."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding, Tokenizer

from kaprune_runtime.errors import InputError

OVERLAP = 0.25
"""Share of a window's room for text that the next window shows again."""

_LEAST_ROOM = 4


@dataclass(frozen=True)
class Window:
    """A part of a text as a model sees it."""

    encoding: Encoding
    """With special tokens, and the question before the text where there is one."""
    text: range
    """Positions of the text's tokens."""
    own: range
    """Those of them that no other window shows with more context on its shorter side."""


def windows(tokenizer: Tokenizer, text: str, length: int, question: str | None = None) -> list[Window]:
    """Cut a text into windows.

    Args:
        tokenizer: Of the model.
        text: Of any length; offsets in the encodings refer to it.
        length: Tokens of a window, special ones included.
        question: Comes before every window, cut where it would leave less than half of the room.

    Raises:
        InputError: `length` leaves no room for text.
    """
    tokenizer.no_padding()
    tokenizer.no_truncation()
    room = length - tokenizer.num_special_tokens_to_add(question is not None)
    before = None
    if question is not None:
        before = tokenizer.encode(question, add_special_tokens=False)
        before.truncate(max(room // 2, 0))
        room -= len(before)
    if room < _LEAST_ROOM:
        raise InputError(
            f"{length} tokens leave no room for text beside the special tokens; raise the maximum length"
        )
    overlap = int(room * OVERLAP)
    whole = tokenizer.encode(text, add_special_tokens=False)
    whole.truncate(room, stride=overlap)
    parts = [whole, *whole.overflowing]
    made = []
    for index, part in enumerate(parts):
        encoding = tokenizer.post_process(part) if before is None else tokenizer.post_process(before, part)
        positions = _positions(encoding, part, 0 if before is None else 1)
        first = overlap // 2 if index else 0
        end = len(part) if part is parts[-1] else len(part) - (overlap - overlap // 2)
        made.append(Window(encoding, positions, positions[first:end]))
    return made


def _positions(encoding: Encoding, part: Encoding, sequence: int) -> range:
    first = encoding.sequence_ids.index(sequence) if len(part) else 0
    return range(first, first + len(part))


def own_outputs(cut: Sequence[Window], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Join the outputs, [tokens, outputs] of each window, to those of the text's tokens in order."""
    return np.concatenate([rows[window.own] for window, rows in zip(cut, outputs, strict=True)])
