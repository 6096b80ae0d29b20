"""Tasks of finding the answer to a question in a text (SQuAD)."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from kaprune_edge.tasks.token_level import TokenLevelTask, window_rows
from kaprune_runtime.answering import answer
from kaprune_runtime.kinds import QUESTIONS
from kaprune_runtime.token_model import TokenModel
from kaprune_runtime.windows import Window, windows

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class AnsweringTask(TokenLevelTask):
    """Questions on texts: columns `question`, `context`, `answers` and `starts` (offsets of the answers).

    A row without answers is a question that its text does not answer.
    """

    kind: ClassVar[str] = QUESTIONS

    def encode(self, split: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
        """See `TokenLevelTask`; a window without a whole answer has its first token for start and end."""
        cuts: list[Window] = []
        targets: list[tuple[int, int]] = []
        for row in split:
            cut = windows(tokenizer.backend_tokenizer, row["context"], max_length, row["question"])
            cuts += cut
            targets += _targets(
                cut, [_span(*told) for told in zip(row["answers"], row["starts"], strict=True)]
            )
        starts, ends = zip(*targets, strict=True)
        return window_rows(cuts, tokenizer, {"start_positions": list(starts), "end_positions": list(ends)})

    def tell(self, model: TokenModel, max_length: int, on_done: Callable[[int], object]) -> list[str]:
        """See `TokenLevelTask`; no answer is allowed where some question of the task has none."""
        rows = self.evaluation
        found = answer(
            self._checked(model),
            list(rows["question"]),
            list(rows["context"]),
            max_length=max_length,
            null_threshold=None if all(rows["answers"]) else 0.0,
            on_done=on_done,
        )
        return [told.text for told in found]

    def wanted(self, split: Dataset) -> list[list[str]]:
        """See `TokenLevelTask`; the right answers to each question."""
        return list(split["answers"])

    def judge(self, told: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
        """See `TokenLevelTask` and `score_answers`."""
        scores = score_answers(told, wanted)
        return {metric: scores[metric] for metric in self.metrics}

    def has_one_label(self) -> bool:
        """Whether no training row has an answer."""
        return not any(self.train["answers"])


def score_answers(told: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Judge answers as SQuAD does (Rajpurkar et al., 2016, section 6.1, and 2018 for questions without one).

    Args:
        told: The model's answer to each question, "" for none.
        wanted: The right ones; the nearest counts. None of them means that there is no answer.

    Returns:
        `f1` of the words that an answer shares with the right one, and `exact_match`, as means.
    """
    pairs = [(own, right or [""]) for own, right in zip(told, wanted, strict=True)]
    return {
        "f1": sum(max(_overlap(own, one) for one in right) for own, right in pairs) / max(1, len(pairs)),
        "exact_match": sum(any(_words(own) == _words(one) for one in right) for own, right in pairs)
        / max(1, len(pairs)),
    }


def _words(text: str) -> list[str]:
    """Lower case, without punctuation and articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _overlap(own: str, right: str) -> float:
    told, wanted = _words(own), _words(right)
    if not told or not wanted:
        return float(told == wanted)
    return 2 * (Counter(told) & Counter(wanted)).total() / (len(told) + len(wanted))


def _span(answer: str, start: int) -> tuple[int, int]:
    """Where an answer is without the white space at its ends, which some tokenizers put into a token."""
    words = answer.strip()
    first = start + answer.index(words)
    return first, first + len(words)


def _targets(cut: Sequence[Window], answers: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Positions of the answer's first and last token in each window of a text, or those that say none.

    Args:
        cut: All windows of the text.
        answers: Where the answers are; a window has the first one that is whole in it.
    """
    # Characters at an end of an answer may be in no token at all, so tokens are counted, not characters.
    counts = [sum(len(_inside(window, window.own, span)) for window in cut) for span in answers]
    targets = []
    for window in cut:
        found = [_inside(window, window.text, span) for span in answers]
        whole = [at for at, count in zip(found, counts, strict=True) if 0 < count == len(at)]
        targets.append((whole[0][0], whole[0][-1]) if whole else (0, 0))
    return targets


def _inside(window: Window, positions: range, span: tuple[int, int]) -> list[int]:
    """Those of a window's positions whose tokens share characters with a span."""
    spans = {at: window.span(at) for at in positions}
    return [at for at, own in spans.items() if max(own[0], span[0]) < min(own[1], span[1])]
