"""Question and text in, answer out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS
from kaprune_runtime.providers import CPU
from kaprune_runtime.token_model import TokenModel, open_token_model
from kaprune_runtime.windows import Window, windows

LONGEST_ANSWER = 30
"""Tokens; as in the first models for SQuAD."""


@dataclass(frozen=True)
class Answer:
    """A stretch of the text; empty where it gives no answer."""

    text: str
    start: int
    """Offset of its first character."""
    end: int
    """Offset after its last character."""
    score: float
    """Product of the probabilities of its first and its last token."""


class QuestionAnswerer:
    """A deployment that finds answers in texts."""

    def __init__(self, folder: str | Path, *, threads: int = 1, provider: str = CPU) -> None:
        """Load the model and its tokenizer; see `open_token_model` for the arguments and errors."""
        self._model = open_token_model(Path(folder), QUESTIONS, threads=threads, provider=provider)

    def __call__(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        max_length: int | None = None,
        null_threshold: float | None = None,
    ) -> list[Answer]:
        """Answer each question from the text of the same place; texts of any length are read in windows.

        Args:
            questions: The questions.
            contexts: The texts, as many.
            max_length: Tokens of a window, special ones and question included; as many as the model takes
                when None.
            null_threshold: For models that learnt that a text may give no answer (SQuAD 2.0): the answer is
                empty where the score of none exceeds that of the best by more; None always answers.

        Raises:
            InputError: An argument does not fit, or the deployment is damaged.
            KapruneError: ONNX Runtime failed.
        """
        return answer(self._model, questions, contexts, max_length=max_length, null_threshold=null_threshold)


def answer(
    model: TokenModel,
    questions: Sequence[str],
    contexts: Sequence[str],
    *,
    max_length: int | None = None,
    null_threshold: float | None = None,
    on_done: Callable[[int], object] | None = None,
) -> list[Answer]:
    """Have a model answer questions; see `QuestionAnswerer` for the other arguments and errors.

    Args:
        model: Its outputs are the scores of starts and of ends.
        questions: The questions.
        contexts: The texts, as many.
        max_length: Tokens of a window.
        null_threshold: When to give no answer.
        on_done: Called after each run with the number of windows done.
    """
    if isinstance(questions, str) or isinstance(contexts, str):
        raise InputError("give a list of questions and a list of texts")
    if len(questions) != len(contexts):
        raise InputError(f"{len(questions)} questions have {len(contexts)} texts; give as many of both")
    if not all(isinstance(text, str) for text in (*questions, *contexts)):
        raise InputError("every question and every text must be a string")
    length = model.length(max_length)
    cuts = [
        windows(model.tokenizer, context, length, question)
        for question, context in zip(questions, contexts, strict=True)
    ]
    outputs = iter(model.outputs([window.encoding for cut in cuts for window in cut], on_done=on_done))
    return [
        find_answer(context, cut, [next(outputs) for _ in cut], null_threshold)
        for context, cut in zip(contexts, cuts, strict=True)
    ]


def find_answer(
    context: str, cut: Sequence[Window], outputs: Sequence[np.ndarray], null_threshold: float | None = None
) -> Answer:
    """Choose the stretch of at most `LONGEST_ANSWER` tokens whose start and end score highest together.

    No answer has the score that the first special token has, the lowest of all windows, as in Devlin et al.,
    "BERT" (NAACL 2019), section 4.3.

    Args:
        context: The text.
        cut: Its windows.
        outputs: Scores of each window's tokens as start and as end, [tokens, 2].
        null_threshold: See `QuestionAnswerer`.
    """
    best, found = -np.inf, Answer("", 0, 0, 0.0)
    for window, scores in zip(cut, outputs, strict=True):
        probabilities = _softmax(scores)
        score, first, last = _best_span(window, scores)
        if score > best:
            start, end = window.span(first)[0], window.span(last)[1]
            chance = float(probabilities[first, 0] * probabilities[last, 1])
            best, found = score, Answer(context[start:end], start, end, chance)
    if null_threshold is None:
        return found
    nulls = [float(scores[0].sum()) for scores in outputs]
    if min(nulls) - best > null_threshold:
        return Answer("", 0, 0, float(_softmax(outputs[int(np.argmin(nulls))])[0].prod()))
    return found


def _best_span(window: Window, scores: np.ndarray) -> tuple[float, int, int]:
    """Score, first and last token; minus infinity where the window shows no text."""
    starts, ends = scores[window.text].astype(np.float64).T
    empty = np.array([start == end for start, end in window.spans], bool)
    starts, ends = np.where(empty, -np.inf, starts), np.where(empty, -np.inf, ends)
    best, first, last = -np.inf, 0, 0
    for more in range(min(LONGEST_ANSWER, len(starts))):
        sums = starts[: len(starts) - more] + ends[more:]
        if (score := float(sums.max())) > best:
            at = window.text[int(sums.argmax())]
            best, first, last = score, at, at + more
    return best, first, last


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=0))
    result: np.ndarray = powers / powers.sum(axis=0)
    return result
