"""Tasks of tagging words: names in a text, parts of speech."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from kaprune_edge.tasks.token_level import TokenLevelTask, window_rows
from kaprune_runtime.kinds import TOKENS
from kaprune_runtime.tagging import OUTSIDE, find_spans, tag
from kaprune_runtime.token_model import TokenModel
from kaprune_runtime.windows import Window, own_spans, windows

_IGNORED = -100
"""The label that PyTorch's cross-entropy leaves out."""


@dataclass(frozen=True)
class TaggingTask(TokenLevelTask):
    """Sentences of words with a tag each: columns `tokens` (words) and `label` (class ids).

    Words are joined by spaces, so that a model is trained and judged on what it will see.
    """

    kind: ClassVar[str] = TOKENS

    def encode(self, split: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
        """See `TokenLevelTask`; tokens after a word's first have the tag that goes on."""
        cuts, labels = [], []
        continued = self._continued()
        for row in split:
            cut = windows(tokenizer.backend_tokenizer, " ".join(row["tokens"]), max_length)
            found = _labels(own_spans(cut), _spans(row["tokens"]), row["label"], continued)
            cuts += cut
            labels += [_of_window(window, found) for window in cut]
        return window_rows(cuts, tokenizer, {"labels": labels})

    def tell(self, model: TokenModel, max_length: int, on_done: Callable[[int], object]) -> list[list[str]]:
        """See `TokenLevelTask`; the tags of each sentence's words. A word has the tag of its first token."""
        rows = self.evaluation["tokens"]
        told = []
        tagged = tag(
            self._checked(model), [" ".join(words) for words in rows], max_length=max_length, on_done=on_done
        )
        for words, found in zip(rows, tagged, strict=True):
            best = found.logits.argmax(axis=1)
            told.append(
                [self.label_names[best[at]] if at is not None else OUTSIDE for at in found.at(_spans(words))]
            )
        return told

    def wanted(self, split: Dataset) -> list[list[str]]:
        """See `TokenLevelTask`; the right tags."""
        return [[self.label_names[index] for index in label] for label in split["label"]]

    def judge(self, told: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
        """See `TokenLevelTask` and `score_tags`."""
        scores = score_tags(told, wanted)
        return {metric: scores[metric] for metric in self.metrics}

    def has_one_label(self) -> bool:
        """Whether all words of the training rows have the same tag."""
        return len({label for row in self.train["label"] for label in row}) < 2

    def _continued(self) -> list[int]:
        """The label of a word's later tokens, for each label of its first."""
        ids = {name: index for index, name in enumerate(self.label_names)}
        follows = []
        for name, index in ids.items():
            if name[1:2] == "-" and name[0] in "BESLU":
                follows.append(ids.get(f"I-{name[2:]}", _IGNORED) if name[0] == "B" else _IGNORED)
            else:
                follows.append(index)
        return follows


def score_tags(told: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Judge tags of sentences by the CoNLL-2003 evaluation (Tjong Kim Sang and De Meulder, 2003, section 3).

    An entity counts as found if its label, its first and its last word are right.

    Returns:
        `f1`, `precision` and `recall` of entities, micro-averaged, and `accuracy` of the words' tags.
    """
    found = {(row, *span) for row, tags in enumerate(told) for span in find_spans(tags)}
    real = {(row, *span) for row, tags in enumerate(wanted) for span in find_spans(tags)}
    pairs = [pair for own, right in zip(told, wanted, strict=True) for pair in zip(own, right, strict=True)]
    both = len(found & real)
    return {
        "f1": 2 * both / max(1, len(found) + len(real)),
        "precision": both / max(1, len(found)),
        "recall": both / max(1, len(real)),
        "accuracy": sum(own == right for own, right in pairs) / max(1, len(pairs)),
    }


def _spans(words: Sequence[str]) -> list[tuple[int, int]]:
    """Where each word is, once they are joined by spaces."""
    starts = accumulate((len(word) + 1 for word in words), initial=0)
    return [(start, start + len(word)) for start, word in zip(starts, words, strict=False)]


def _labels(
    tokens: Sequence[tuple[int, int]],
    words: Sequence[tuple[int, int]],
    tags: Sequence[int],
    continued: Sequence[int],
) -> list[int]:
    """Label every token of a text: the first of each word has its tag, white space none."""
    ends = [end for _, end in words]
    labels = [_IGNORED] * len(tokens)
    last = -1
    for number, (start, end) in enumerate(tokens):
        if start == end:
            continue
        word = int(np.searchsorted(ends, start, side="right"))
        labels[number] = tags[word] if word > last else continued[tags[word]]
        last = word
    return labels


def _of_window(window: Window, labels: Sequence[int]) -> list[int]:
    """Label every position of a window, given the labels of the text's tokens."""
    found = [_IGNORED] * len(window.encoding.ids)
    for position in window.text:
        found[position] = labels[window.number(position)]
    return found
