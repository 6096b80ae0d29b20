"""Text in, entities out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TOKENS
from kaprune_runtime.providers import CPU
from kaprune_runtime.token_model import TokenModel, open_token_model
from kaprune_runtime.windows import Window, own_outputs, own_spans, windows

OUTSIDE = "O"
"""The tag of words that belong to nothing."""


@dataclass(frozen=True)
class Entity:
    """A stretch of text that the model names."""

    label: str
    text: str
    start: int
    """Offset of its first character."""
    end: int
    """Offset after its last character."""
    score: float
    """Mean probability of its words' tags."""


@dataclass(frozen=True)
class TaggedText:
    """What a model says of a text's tokens."""

    offsets: np.ndarray
    """Offsets of each token's first character and after its last, [tokens, 2]; equal for white space."""
    words: list[int | None]
    """The word that each token is of, as the tokenizer counts them."""
    logits: np.ndarray
    """float32 [tokens, labels]."""

    def at(self, spans: Sequence[tuple[int, int]]) -> list[int | None]:
        """Find the first token of each stretch of characters, None where the tokenizer drops it."""
        starts, ends = self.offsets.T
        firsts = []
        for start, end in spans:
            inside = np.flatnonzero((starts < end) & (ends > start))
            firsts.append(int(inside[0]) if len(inside) else None)
        return firsts


class TokenClassifier:
    """A deployment that tags words: names, parts of speech."""

    def __init__(self, folder: str | Path, *, threads: int = 1, provider: str = CPU) -> None:
        """Load the model and its tokenizer; see `open_token_model` for the arguments and errors."""
        self._model = open_token_model(Path(folder), TOKENS, threads=threads, provider=provider)
        self.labels = self._model.labels

    def __call__(self, texts: Sequence[str], *, max_length: int | None = None) -> list[list[Entity]]:
        """Find what each text names; texts of any length are read in windows.

        Args:
            texts: The texts.
            max_length: Tokens of a window, special ones included; as many as the model takes when None.

        Returns:
            The entities of each text, in its order. A word has the tag of its first token.

        Raises:
            InputError: An argument does not fit, or the deployment is damaged.
            KapruneError: ONNX Runtime failed.
        """
        tagged = tag(self._model, texts, max_length=max_length)
        return [find_entities(text, found, self.labels) for text, found in zip(texts, tagged, strict=True)]


def tag(
    model: TokenModel,
    texts: Sequence[str],
    *,
    max_length: int | None = None,
    on_done: Callable[[int], object] | None = None,
) -> list[TaggedText]:
    """Run a model on texts; see `TokenClassifier` for the arguments and errors.

    Args:
        model: A token classifier.
        texts: The texts.
        max_length: Tokens of a window.
        on_done: Called after each run with the number of windows done.
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise InputError("give a list of texts, each a string")
    length = model.length(max_length)
    cuts = [windows(model.tokenizer, text, length) for text in texts]
    outputs = iter(model.outputs([window.encoding for cut in cuts for window in cut], on_done=on_done))
    return [_tagged(cut, [next(outputs) for _ in cut]) for cut in cuts]


def _tagged(cut: Sequence[Window], outputs: Sequence[np.ndarray]) -> TaggedText:
    words = [window.encoding.word_ids[position] for window in cut for position in window.own]
    return TaggedText(np.array(own_spans(cut), int).reshape(-1, 2), words, own_outputs(cut, outputs))


def find_entities(text: str, tagged: TaggedText, labels: Sequence[str]) -> list[Entity]:
    """Read the entities off a text's logits."""
    words = _find_words(text, tagged)
    logits = tagged.logits[[tokens[0] for tokens in words]]
    best = logits.argmax(axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    entities = []
    for label, first, end in find_spans([labels[index] for index in best]):
        start, stop = int(tagged.offsets[words[first][0], 0]), int(tagged.offsets[words[end - 1][-1], 1])
        entities.append(Entity(label, text[start:stop], start, stop, float(scores[first:end].mean())))
    return entities


def _find_words(text: str, tagged: TaggedText) -> list[list[int]]:
    """Group the tokens into words; a tokenizer that counts no words has them between white space."""
    words: list[list[int]] = []
    last = None
    for token, (start, end) in enumerate(tagged.offsets.tolist()):
        if start == end:
            continue
        same = last is not None and tagged.words[last] == tagged.words[token]
        if same and not any(map(str.isspace, text[tagged.offsets[last, 1] : start])):
            words[-1].append(token)
        else:
            words.append([token])
        last = token
    return words


def find_spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Find the entities in the tags of a sentence, by the rules of the CoNLL evaluation (`conlleval`).

    Knows IOB1, IOB2, IOBES and BILOU. Tags without a prefix name stretches of equal tags.

    Args:
        tags: A tag for each word.

    Returns:
        Label, first word, and the word after the last, of each.
    """
    spans = []
    label, start, last = None, 0, ""
    for index, tagged in enumerate([*tags, OUTSIDE]):
        prefix, name = _split(tagged)
        if name != label or prefix in "BSU" or last in "ESLU":
            if label is not None:
                spans.append((label, start, index))
            label, start = name, index
        last = prefix
    return spans


def _split(tagged: str) -> tuple[str, str | None]:
    if tagged == OUTSIDE:
        return "I", None
    if tagged[1:2] == "-" and tagged[0] in "BIESLU":
        return tagged[0], tagged[2:]
    return "I", tagged
