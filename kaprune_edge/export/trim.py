"""A model with the tokens that a corpus needs, and few others."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx_ir as ir
from transformers import AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from kaprune_edge import artifacts
from kaprune_edge.checkpoints import save_tokenizer
from kaprune_edge.export.embedding import find_word_embedding
from kaprune_edge.export.source import Source
from kaprune_edge.export.vocabulary import needed_ids, renumber, used_ids
from kaprune_runtime.deployment import TOKENIZER, read_json
from kaprune_runtime.errors import InputError

__all__ = ["check_corpus", "trim_vocabulary"]


def check_corpus(corpus: Path) -> None:
    """Raise InputError unless a file can be read and holds text."""
    if next(_texts(corpus), None) is None:
        raise InputError(f"{corpus} holds no text; give a file with one text a line")


def trim_vocabulary(source: Source, corpus: Path) -> Source:
    """Keep the tokens that a corpus needs, and those without which some text could be encoded worse.

    Tokenizer, configuration and embedding table are renumbered together; `needed_ids` says what stays.
    So do all tokens up to the padding token, from whose id RoBERTa and MPNet count positions.

    Args:
        source: Its graph is changed in place.
        corpus: UTF-8 text, one text a line.

    Returns:
        The source with fewer tokens. Its reference takes the new ids.

    Raises:
        InputError: The corpus cannot be read, or the tokenizer or the graph is of no kind known here.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        save_tokenizer(source.tokenizer, folder)
        if not (folder / TOKENIZER).is_file():
            raise InputError(f"{source.name} has no {TOKENIZER}, which trimming takes; leave it out")
        description = read_json(folder / TOKENIZER)
        used = used_ids(description, _texts(corpus))
        known = set(source.tokenizer.get_vocab().values())
        named = set(_token_ids(source.config).values()) | set(range((source.config.pad_token_id or 0) + 1))
        kept = np.array(sorted(needed_ids(description, used | named & known)))
        new_ids = {old: new for new, old in enumerate(kept.tolist())}
        tokenizer = _renumbered_tokenizer(folder, renumber(description, new_ids), new_ids)
    _take_rows(source, kept)

    def reference(feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        return source.reference({**feeds, "input_ids": kept[feeds["input_ids"]]})

    config = _renumbered_config(source.config, new_ids)
    return replace(source, config=config, tokenizer=tokenizer, reference=reference)


def _texts(corpus: Path) -> Iterator[str]:
    try:
        with corpus.open(encoding="utf-8") as file:
            yield from (line.rstrip("\n") for line in file if line.strip())
    except OSError as error:
        raise InputError(f"cannot read {corpus}: {error.strerror}; name a text file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{corpus} is not UTF-8; give a file with one text a line") from error


def _token_ids(config: PretrainedConfig) -> dict[str, int]:
    """Give what config.json calls `pad_token_id` and the like."""
    entries = config.to_dict().items()
    return {name: value for name, value in entries if name.endswith("_token_id") and isinstance(value, int)}


def _renumbered_config(config: PretrainedConfig, new_ids: Mapping[int, int]) -> PretrainedConfig:
    """Copy a configuration; an id that no token has is left as it is."""
    changed = copy.deepcopy(config)
    changed.vocab_size = len(new_ids)
    for name, token in _token_ids(config).items():
        setattr(changed, name, new_ids.get(token, token))
    return changed


def _renumbered_tokenizer(
    folder: Path, description: Mapping[str, Any], new_ids: Mapping[int, int]
) -> PreTrainedTokenizerBase:
    """Load a saved tokenizer with another tokenizer.json."""
    (folder / TOKENIZER).write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
    settings = dict(read_json(folder / "tokenizer_config.json"))
    if added := settings.get("added_tokens_decoder"):
        settings["added_tokens_decoder"] = {str(new_ids[int(old)]): token for old, token in added.items()}
        artifacts.write_json(folder / "tokenizer_config.json", settings)
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def _take_rows(source: Source, kept: np.ndarray) -> None:
    """Leave the table these rows."""
    words = find_word_embedding(source.model.graph)
    if words is None:
        raise InputError(f"no table in {source.name} is read by token ids alone; leave --trim-vocabulary out")
    if kept[-1] >= len(words.content):
        raise InputError(
            f"the tokenizer has more tokens than the {len(words.content)} rows of {words.table.name}; "
            "put the model's own tokenizer beside it"
        )
    rows = words.content[kept]
    words.table.const_value = ir.tensor(rows, name=words.table.name)
    words.table.shape = ir.Shape(rows.shape)
