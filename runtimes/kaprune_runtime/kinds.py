"""What a model is for, by the names that Hugging Face gives such tasks."""

from collections.abc import Sequence
from pathlib import Path

from kaprune_runtime.errors import InputError

TEXT = "text-classification"
TOKENS = "token-classification"
QUESTIONS = "question-answering"

_HEADS = {"ForTokenClassification": TOKENS, "ForQuestionAnswering": QUESTIONS}


def kind_of(architectures: Sequence[str] | None) -> str:
    """Tell a model's kind by `architectures` in its config.json; text classification where that is silent."""
    for name in architectures or ():
        for head, kind in _HEADS.items():
            if name.endswith(head):
                return kind
    return TEXT


def check_inputs(
    folder: Path,
    kind: str,
    *,
    pairs: Sequence[str] | None,
    questions: Sequence[str] | None,
    null_threshold: float | None,
) -> None:
    """Raise InputError unless `predict` was given what a model of this kind takes."""
    if questions is None and kind == QUESTIONS:
        raise InputError(f"{folder} is for {kind}; give --question")
    for option, value, takers in (
        ("--question", questions, (QUESTIONS,)),
        ("--null-threshold", null_threshold, (QUESTIONS,)),
        ("--pair", pairs, (TEXT,)),
    ):
        if value is not None and kind not in takers:
            raise InputError(f"{folder} is for {kind} and takes no {option}; leave it out")
