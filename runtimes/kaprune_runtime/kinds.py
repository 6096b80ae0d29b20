"""What a model is for, by the names that Hugging Face gives such tasks."""

from collections.abc import Sequence

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
