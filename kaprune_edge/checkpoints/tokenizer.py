"""The tokenizer of a checkpoint: loaded, made plain, and saved, by every command."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from transformers import AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from kaprune_edge.checkpoints.config import load_config, max_tokens
from kaprune_edge.checkpoints.files import find_checkpoint, refuse_pointer
from kaprune_runtime.deployment import TOKENIZER, read_json
from kaprune_runtime.errors import InputError
from kaprune_runtime.tokenizer_settings import read_settings

_VOCABULARIES = (
    TOKENIZER,
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
_JSON_FILES = (TOKENIZER, "special_tokens_map.json", "added_tokens.json")
_PACKAGE = re.compile(r"pip install (?:-U )?[`'\"]?([\w.-]*\w)|requires the (\w+) library", re.IGNORECASE)
_LEFT_BY_OTHERS = (
    "max_length",
    "stride",
    "truncation_strategy",
    "pad_to_multiple_of",
    "is_local",
    "local_files_only",
)
"""What transformers keeps of a loaded file's truncation and padding, and of where the file lay."""


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint, made plain.

    It cuts and pads nothing unless told, pads on the right, gives token types where the model has more than
    one, and takes no text as longer than the model does.

    Raises:
        InputError: It is missing or damaged, has no tokenizer.json form, needs a package that is not
            installed, or does not fit the model.
    """
    folder = Path(find_checkpoint(source))
    settings, config = read_settings(folder), load_config(source, labelled=False)
    tokenizer = _read(folder, source)
    if not tokenizer.is_fast:
        raise InputError(
            f"the tokenizer in {source} ({type(tokenizer).__name__}) has no {TOKENIZER} form, "
            "which the deployment takes; give a checkpoint with one"
        )
    tokenizer.truncation_side = settings.truncation_side or tokenizer.truncation_side
    _make_plain(tokenizer, config, settings.model_max_length)
    _check_fits(tokenizer, config, source)
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save a tokenizer that cuts and pads nothing, whatever it was used for before."""
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for name in _LEFT_BY_OTHERS:
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(folder)


def _read(folder: Path, source: str) -> PreTrainedTokenizerBase:
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise InputError(f"{source} holds no tokenizer; add its {TOKENIZER}")
    for name in _VOCABULARIES:
        refuse_pointer(folder / name)
    for name in _JSON_FILES:
        if (folder / name).exists():
            read_json(folder / name)
    try:
        return cast(
            PreTrainedTokenizerBase,
            AutoTokenizer.from_pretrained(
                folder, trust_remote_code=False, padding_side="right", model_max_length=None
            ),
        )
    except Exception as error:
        if package := _missing_package(error, folder):
            raise InputError(
                f"the tokenizer in {source} needs the package {package}; run `pip install {package}`, "
                f"or add its {TOKENIZER}"
            ) from error
        raise InputError(f"the tokenizer in {source} is damaged; fetch the checkpoint again") from error


def _missing_package(error: BaseException, folder: Path) -> str | None:
    """Name the package whose absence made a tokenizer fail."""
    if not (folder / TOKENIZER).is_file() and list(folder.glob("*.model")):
        for package, module in (("sentencepiece", "sentencepiece"), ("protobuf", "google.protobuf")):
            if find_spec(module) is None:
                return package
    if isinstance(error, ModuleNotFoundError) and error.name:
        return error.name
    if isinstance(error, ImportError | ValueError) and (found := _PACKAGE.search(str(error))):
        return (found[1] or found[2]).lower()
    return None


def _make_plain(tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig, longest: int | None) -> None:
    """Take away what the source left in a tokenizer that changes a model's inputs."""
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    most = max_tokens(config)
    tokenizer.model_max_length = min(most, longest or most)
    has_types = (
        "token_type_ids" in tokenizer.model_input_names and (getattr(config, "type_vocab_size", 0) or 0) > 1
    )
    names = ["input_ids", *(["token_type_ids"] if has_types else []), "attention_mask"]
    tokenizer.model_input_names = names
    tokenizer.init_kwargs |= {"model_input_names": names, "truncation_side": tokenizer.truncation_side}
    tokenizer.init_kwargs.pop("pad_token_type_id", None)
    tokenizer._pad_token_type_id = 0
    padding = tokenizer.added_tokens_decoder.get(config.pad_token_id)
    if tokenizer.pad_token is None and padding is not None and padding.special:
        tokenizer.pad_token = padding.content


def _check_fits(tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig, source: str) -> None:
    vocabulary = tokenizer.get_vocab()
    if not vocabulary.keys() - set(tokenizer.all_special_tokens):
        raise InputError(f"the tokenizer in {source} has no vocabulary; add its {TOKENIZER}")
    given = tokenizer.backend_tokenizer.encode("a", "a").ids
    tokens, rows = 1 + max(*vocabulary.values(), *given), config.vocab_size
    if tokens > rows:
        raise InputError(
            f"the tokenizer in {source} has {tokens} tokens but the model embeddings for {rows}; "
            "put the model's own tokenizer there"
        )
    if tokenizer.pad_token_id is None:
        raise InputError(
            f"the tokenizer in {source} has no padding token; set pad_token in its tokenizer_config.json"
        )
