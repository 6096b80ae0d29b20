"""Words that fit a context, by a masked language model."""

import threading
from collections.abc import Mapping
from typing import Any

import torch
from tokenizers import Encoding
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.augmentation.words import WORD, Lexicon, plain_tokenizer
from kaprune_edge.checkpoints import max_tokens
from kaprune_runtime.tokenization import pad

_BATCH = 32


class MaskedModel:
    """Finds the most probable words in the place of a word. Threads can share it.

    A batch holds one text with a different word masked in each row. So nothing is padded, and what is
    found for a text does not depend on the texts around it.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, vocabulary: Mapping[int, str]
    ) -> None:
        """Watch a model.

        Args:
            model: With a language-model head; gives scores at the masked position alone from now on.
            tokenizer: Its own, with a mask token.
            vocabulary: Token id -> word, for the words that may be put in.
        """
        self._model = model.eval()
        self._tokenizer = plain_tokenizer(tokenizer, max_tokens(model.config))
        self._inputs = tokenizer.model_input_names
        self._mask: int = tokenizer.mask_token_id
        self._ids = torch.tensor(list(vocabulary))
        self._lexicon = Lexicon(list(vocabulary.values()))
        self._masked = threading.local()
        model.get_output_embeddings().register_forward_pre_hook(self._keep_masked)

    def __call__(self, text: str) -> dict[int, tuple[str, ...]]:
        """Mask every word that is one token, alone.

        Returns:
            The word's offset in the text -> the `CANDIDATES` most probable others, best first.
        """
        encoding = self._tokenizer.encode(text)
        words, positions = [], []
        for word in WORD.finditer(text):
            position = encoding.char_to_token(word.start())
            if position is not None and text[slice(*encoding.offsets[position])].strip() == word[0]:
                words.append(word)
                positions.append(position)
        if not words:
            return {}
        scores = torch.cat([self._scores(encoding, some) for some in torch.tensor(positions).split(_BATCH)])
        return {
            word.start(): self._lexicon.best(score, word[0])
            for word, score in zip(words, scores, strict=True)
        }

    @torch.inference_mode()
    def _scores(self, encoding: Encoding, positions: Tensor) -> Tensor:
        """Score the vocabulary at each position with that position masked, shape [positions, words]."""
        rows = torch.arange(len(positions))
        inputs = pad([encoding] * len(rows), self._inputs, pad_id=0)
        batch = {name: torch.from_numpy(values) for name, values in inputs.items()}
        batch["input_ids"][rows, positions] = self._mask
        self._masked.places = rows, positions
        output: Any = self._model(**batch)
        return output.logits[:, self._ids]

    def _keep_masked(self, module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0][self._masked.places],)
