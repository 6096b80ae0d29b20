"""Words of similar meaning, by the angle between word vectors."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import PreTrainedTokenizerBase

from kaprune_edge.augmentation.words import WORD, Lexicon, plain_tokenizer
from kaprune_edge.progress import Progress
from kaprune_runtime.errors import InputError

_LINES_PER_REPORT = 1000


class Neighbours:
    """Finds the words whose vectors have the largest cosine with a word's own."""

    def __init__(
        self, words: Sequence[str], vectors: Tensor, vector_of: Callable[[str], Tensor | None]
    ) -> None:
        """Remember a table of words.

        Args:
            words: What can be found.
            vectors: Of these words, shape [words, width].
            vector_of: Gives a word to replace its vector, shape [width]; None if it has none.
        """
        self._lexicon = Lexicon(words)
        self._directions = normalize(vectors, dim=1)
        self._vector_of = vector_of
        self.nearest = cache(self._nearest)
        """Word -> its `CANDIDATES` nearest others, nearest first; none if it has no vector."""

    def _nearest(self, word: str) -> tuple[str, ...]:
        vector = self._vector_of(word)
        return () if vector is None else self._lexicon.best(self._directions @ vector, word)


def embedding_neighbours(
    table: Tensor, tokenizer: PreTrainedTokenizerBase, vocabulary: Mapping[int, str]
) -> Neighbours:
    """Take a model's own word embeddings for vectors; a word of several pieces has the mean of theirs.

    Args:
        table: Word embeddings, shape [tokens, width].
        tokenizer: Of the same model.
        vocabulary: Token id -> word, for the words that may be put in.
    """
    pieces = plain_tokenizer(tokenizer)

    def vector_of(word: str) -> Tensor | None:
        ids = pieces.encode(f" {word}", add_special_tokens=False).ids
        return None if tokenizer.unk_token_id in ids else table[ids].mean(0)

    return Neighbours(list(vocabulary.values()), table[list(vocabulary)], vector_of)


def glove_neighbours(path: Path, progress: Progress) -> Neighbours:
    """Read word vectors from a text file as GloVe publishes them: a word and its numbers a line.

    Args:
        path: The file, UTF-8.
        progress: Told of the bytes read.

    Raises:
        InputError: There is no such file, or it is no table of word vectors.
    """
    places: dict[str, int] = {}
    vectors: list[np.ndarray] = []
    width = done = 0
    try:
        progress.start(f"read {path.name}", path.stat().st_size)
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                done += len(line)
                width = width or line.count(b" ")
                word, *numbers = line.decode().rsplit(" ", width)
                if WORD.fullmatch(word):
                    places[word] = len(vectors)
                    vectors.append(np.array(numbers, np.float32))
                if number % _LINES_PER_REPORT == 0:
                    progress.advance(done, words=len(vectors))
        table = torch.from_numpy(np.stack(vectors))
    except OSError as error:
        raise InputError(
            f"cannot read {path} ({error.strerror}); give a GloVe file of word vectors"
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is no GloVe file: a line must be a word and its numbers") from error

    def vector_of(word: str) -> Tensor | None:
        place = places.get(word, places.get(word.lower()))
        return None if place is None else table[place]

    return Neighbours(list(places), table, vector_of)
