"""Words: where a text has them, which of them a vocabulary holds, and the best of these by a score."""

import re
from collections import defaultdict
from collections.abc import Sequence

from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase

CANDIDATES = 15
"""How many words a replacement is drawn from: K of TinyBERT's algorithm 1."""

WORD = re.compile(r"(?<![\w'’])[^\W\d_]+(?!['’]?\w)")
"""A run of letters that is no part of a number, a name with digits, or a contraction such as n't."""


def plain_tokenizer(tokenizer: PreTrainedTokenizerBase, max_length: int | None = None) -> Tokenizer:
    """Copy what tokenizes, its cutting fixed once, so that threads can share it.

    Args:
        tokenizer: A model's own.
        max_length: Tokens at which a text is cut off, special ones included; nowhere when None.
    """
    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_padding()
    if max_length is None:
        copy.no_truncation()
    else:
        copy.enable_truncation(max_length, direction=tokenizer.truncation_side)
    return copy


def whole_words(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Find the tokens that are words by themselves, not pieces, numbers or marks.

    Returns:
        Token id -> word, by ascending id.
    """
    spelled = {
        token_id: tokenizer.convert_tokens_to_string([token]).strip()
        for token, token_id in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    }
    words = {token_id: word for token_id, word in spelled.items() if WORD.fullmatch(word)}
    encodings = plain_tokenizer(tokenizer).encode_batch(
        [f" {word}" for word in words.values()], add_special_tokens=False
    )
    return {
        token_id: word
        for (token_id, word), encoding in zip(words.items(), encodings, strict=True)
        if encoding.ids == [token_id]
    }


class Lexicon:
    """The words that may be put in the place of others."""

    def __init__(self, words: Sequence[str]) -> None:
        """Remember words; several may differ in case alone."""
        self._words = words
        self._places = defaultdict[str, list[int]](list)
        for place, word in enumerate(words):
            self._places[word.casefold()].append(place)

    def best(self, scores: Tensor, word: str) -> tuple[str, ...]:
        """Choose the `CANDIDATES` words of highest score, best first, other than `word` in any case.

        Args:
            scores: One for each word of the lexicon, shape [words].
            word: What is to be replaced.
        """
        own = self._places.get(word.casefold(), [])
        others = scores.clone()
        others[own] = -float("inf")
        best = others.topk(min(CANDIDATES, len(self._words) - len(own))).indices
        return tuple(self._words[place] for place in best.tolist())
