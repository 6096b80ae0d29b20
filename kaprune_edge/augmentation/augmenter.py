"""TinyBERT's data augmentation: words of a text replaced by words that fit or mean about the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kaprune_edge.augmentation.masked_model import MaskedModel
from kaprune_edge.augmentation.neighbours import Neighbours, embedding_neighbours, glove_neighbours
from kaprune_edge.augmentation.words import WORD, whole_words
from kaprune_edge.checkpoints import load_masked_model, load_tokenizer
from kaprune_edge.progress import Progress, Silent
from kaprune_runtime.errors import InputError


class Replaceable(NamedTuple):
    """A word of a text, from `start` to `end`, and what may take its place."""

    start: int
    end: int
    candidates: Sequence[str]


class Augmenter:
    """Makes copies of texts: Jiao et al., "TinyBERT" (Findings of EMNLP 2020), algorithm 1.

    As in the authors' program, candidates come from the text as it was, once for all its copies. Threads
    can share an augmenter.
    """

    def __init__(self, neighbours: Neighbours, masked_model: MaskedModel | None) -> None:
        """Choose where candidates come from.

        Args:
            neighbours: For words of several tokens.
            masked_model: For words of one token; `neighbours` when None.
        """
        self._neighbours = neighbours
        self._masked_model = masked_model

    @property
    def source(self) -> str:
        """Where candidates come from, for people."""
        return "masked language model" if self._masked_model else "embedding neighbours"

    def replaceable(self, text: str) -> list[Replaceable]:
        """Find the words of a text that have candidates, in their order."""
        fitting = self._masked_model(text) if self._masked_model else {}
        words = [
            Replaceable(*word.span(), fitting.get(word.start()) or self._neighbours.nearest(word[0]))
            for word in WORD.finditer(text)
        ]
        return [word for word in words if word.candidates]

    def copies(
        self, texts: Sequence[str], count: int, replaced_share: float, random: np.random.Generator
    ) -> list[tuple[str, ...]]:
        """Copy a row, some of its words replaced by random candidates.

        Args:
            texts: The text or the two texts of the row.
            count: How many copies to make; two may turn out equal.
            replaced_share: Probability that a word is replaced; p_t of algorithm 1.
            random: What decides.

        Returns:
            `count` rows of as many texts.
        """
        columns = []
        for text in texts:
            words = self.replaceable(text)
            draws = random.random((count, len(words), 2))
            columns.append([_replace(text, words, draw, replaced_share) for draw in draws])
        return list(zip(*columns, strict=True))


def load_augmenter(source: str, glove: Path | None = None, progress: Progress | None = None) -> Augmenter:
    """Make an augmenter from a checkpoint.

    Args:
        source: Checkpoint folder or hub id. Without a language-model head and a mask token, all words are
            replaced by neighbours.
        glove: File of word vectors for neighbours; the checkpoint's word embeddings when None.
        progress: Told of the reading of that file.

    Raises:
        InputError: The checkpoint or the file is missing or damaged, or there are no words to put in.
    """
    tokenizer = load_tokenizer(source)
    model, has_head = load_masked_model(source)
    vocabulary = whole_words(tokenizer)
    if not vocabulary:
        raise InputError(f"the vocabulary of {source} holds no whole words to put in; name another model")
    if glove is None:
        table = model.get_input_embeddings().get_parameter("weight").detach()
        neighbours = embedding_neighbours(table, tokenizer, vocabulary)
    else:
        neighbours = glove_neighbours(glove, progress or Silent())
    fits = has_head and tokenizer.mask_token_id is not None
    return Augmenter(neighbours, MaskedModel(model, tokenizer, vocabulary) if fits else None)


def _replace(text: str, words: Sequence[Replaceable], draws: np.ndarray, replaced_share: float) -> str:
    """Replace words by two draws each, [words, 2] in 0..1: whether, and by which candidate."""
    parts, done = [], 0
    for word, (chance, choice) in zip(words, draws.tolist(), strict=True):
        if chance < replaced_share:
            parts += [text[done : word.start], word.candidates[int(choice * len(word.candidates))]]
            done = word.end
    return "".join([*parts, text[done:]])
