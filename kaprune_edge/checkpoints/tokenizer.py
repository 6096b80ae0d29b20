"""The tokenizer of a checkpoint."""

from pathlib import Path
from typing import cast

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from kaprune_edge.checkpoints.config import load_config
from kaprune_edge.checkpoints.files import find_checkpoint, refuse_pointer
from kaprune_runtime.errors import InputError

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint.

    Raises:
        InputError: It is missing or damaged, or knows more tokens than the model has embeddings for.
    """
    folder = Path(find_checkpoint(source))
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise InputError(f"{source} holds no tokenizer; add its tokenizer.json")
    for name in _TOKENIZER_FILES:
        refuse_pointer(folder / name)
    try:
        tokenizer = cast(
            PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        )
    except Exception as error:
        raise InputError(f"the tokenizer in {source} is damaged; fetch the checkpoint again") from error
    tokens, rows = 1 + max(tokenizer.get_vocab().values()), load_config(source, labelled=False).vocab_size
    if tokens > rows:
        raise InputError(
            f"the tokenizer in {source} has {tokens} tokens but the model embeddings for {rows}; "
            "put the model's own tokenizer there"
        )
    return tokenizer
