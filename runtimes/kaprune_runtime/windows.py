"""Long texts in overlapping windows that a model can take."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding, Tokenizer, processors

from kaprune_runtime.errors import InputError

OVERLAP = 0.25
"""Share of a window's room for text that the next window shows again."""

_LEAST_ROOM = 4


_NO_PROCESSOR = processors.Sequence([])
_CUTTING = threading.Lock()


@dataclass(frozen=True)
class Window:
    """A part of a text as a model sees it."""

    encoding: Encoding
    """With special tokens, and the question before the text where there is one."""
    text: range
    """Positions of the text's tokens."""
    own: range
    """Those of them that no other window shows with more context on its shorter side."""
    first: int
    """The number, among all tokens of the text, of the first one shown."""
    spans: Sequence[tuple[int, int]]
    """Of each of the text's tokens shown: offsets of its first character and after its last, without the
    white space around them."""

    def span(self, position: int) -> tuple[int, int]:
        """Give the span of the token at a position of `text`."""
        return self.spans[position - self.text.start]

    def number(self, position: int) -> int:
        """Give the number, among all tokens of the text, of the token at a position of `text`."""
        return self.first + position - self.text.start


def windows(tokenizer: Tokenizer, text: str, length: int, question: str | None = None) -> list[Window]:
    """Cut a text into windows. Threads can share the tokenizer.

    Args:
        tokenizer: Of the model.
        text: Of any length.
        length: Tokens of a window, special ones included.
        question: Comes before every window, cut where it would leave less than half of the room.

    Raises:
        InputError: `length` leaves no room for text.
    """
    with _CUTTING:
        return _windows(tokenizer, text, length, question)


def _windows(tokenizer: Tokenizer, text: str, length: int, question: str | None) -> list[Window]:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    room = length - tokenizer.num_special_tokens_to_add(question is not None)
    before, whole = _encode_plain(tokenizer, question, text)
    if before is not None:
        before.truncate(max(room // 2, 0))
        room -= len(before)
    if room < _LEAST_ROOM:
        raise InputError(
            f"{length} tokens leave no room for text beside the special tokens; raise the maximum length"
        )
    overlap = int(room * OVERLAP)
    spans = [_strip(text, *offsets) for offsets in whole.offsets]
    whole.truncate(room, stride=overlap)
    parts = [whole, *whole.overflowing]
    made = []
    for index, part in enumerate(parts):
        encoding = tokenizer.post_process(part) if before is None else tokenizer.post_process(before, part)
        positions = _positions(encoding, part, 0 if before is None else 1)
        number = index * (room - overlap)
        own = overlap // 2 if index else 0
        end = len(part) if part is parts[-1] else len(part) - (overlap - overlap // 2)
        made.append(
            Window(encoding, positions, positions[own:end], number, spans[number : number + len(part)])
        )
    return made


def _encode_plain(tokenizer: Tokenizer, question: str | None, text: str) -> tuple[Encoding | None, Encoding]:
    """Encode without the post-processor, which would take the space before a word off the offsets twice."""
    processor = tokenizer.post_processor
    tokenizer.post_processor = _NO_PROCESSOR
    try:
        before = None if question is None else tokenizer.encode(question, add_special_tokens=False)
        return before, tokenizer.encode(text, add_special_tokens=False)
    finally:
        tokenizer.post_processor = processor


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave the white space around a token out of its span."""
    shown = text[start:end]
    start += len(shown) - len(shown.lstrip())
    return start, start + len(shown.strip())


def _positions(encoding: Encoding, part: Encoding, sequence: int) -> range:
    first = encoding.sequence_ids.index(sequence) if len(part) else 0
    return range(first, first + len(part))


def own_outputs(cut: Sequence[Window], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Join the outputs, [tokens, outputs] of each window, to those of the text's tokens in order."""
    return np.concatenate([rows[window.own] for window, rows in zip(cut, outputs, strict=True)])


def own_spans(cut: Sequence[Window]) -> list[tuple[int, int]]:
    """Join the spans of the windows to those of the text's tokens in order."""
    return [window.span(position) for window in cut for position in window.own]
