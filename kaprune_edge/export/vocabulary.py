"""Which tokens of a tokenizer.json have to stay, and the tokenizer.json of those alone."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from tokenizers import Tokenizer

from kaprune_runtime.errors import InputError

__all__ = ["needed_ids", "renumber", "used_ids"]

Json = Mapping[str, Any]

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def used_ids(description: Json, texts: Iterable[str]) -> set[int]:
    """Collect the ids in the encodings of texts, special tokens included.

    Args:
        description: The content of a tokenizer.json.
        texts: Read one after the other.
    """
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return {token for text in texts for token in tokenizer.encode(text).ids}


def needed_ids(description: Json, used: Collection[int]) -> set[int]:
    """Add to tokens that are used those without which some text could be encoded worse than before.

    - Added tokens, special ones among them, and the unknown token.
    - Every single character or byte, and each piece that these cannot make up.
    - Of byte-pair encoding, what is merged on the way to the tokens that are used.

    A text whose tokens all stay is encoded as before. No other text gets an unknown token that it had not;
    that takes a vocabulary that knows each character of its pieces alone too, as trained ones do.

    Args:
        description: The content of a tokenizer.json.
        used: Ids to keep.

    Raises:
        InputError: The tokenizer knows whole words only.
    """
    model = description["model"]
    if model["type"] not in _STAYING:
        raise InputError(f"a {model['type']} vocabulary cannot be trimmed; leave --trim-vocabulary out")
    ids = _ids(model)
    names = {index: token for token, index in ids.items()}
    staying = _STAYING[model["type"]](model, {names[index] for index in used if index in names})
    added = {token["id"] for token in description["added_tokens"]}
    return {*used, *added, *(ids[token] for token in staying)}


def renumber(description: Json, new_ids: Mapping[int, int]) -> dict[str, Any]:
    """Keep the tokens that have a new id.

    Args:
        description: The content of a tokenizer.json.
        new_ids: By old id, ascending together.

    Returns:
        The content of the new tokenizer.json.
    """
    changed = {
        **description,
        "model": _renumber_model(description["model"], new_ids),
        "added_tokens": [token | {"id": new_ids[token["id"]]} for token in description["added_tokens"]],
    }
    if processor := description.get("post_processor"):
        changed["post_processor"] = _renumber_processor(processor, new_ids)
    if padding := description.get("padding"):
        changed["padding"] = padding | {"pad_id": new_ids[padding["pad_id"]]}
    return changed


def _ids(model: Json) -> dict[str, int]:
    """Give each token's id."""
    if model["type"] == "Unigram":
        return {token: index for index, (token, _) in enumerate(model["vocab"])}
    return dict(model["vocab"])


def _word_pieces(model: Json, used: Collection[str]) -> set[str]:
    prefix, vocabulary = model["continuing_subword_prefix"], model["vocab"]

    def is_atom(token: str) -> bool:
        body = token.removeprefix(prefix)
        start = token[: len(token) - len(body)]
        symbols = [start + body[:1], *(prefix + character for character in body[1:])]
        return len(body) < 2 or any(symbol not in vocabulary for symbol in symbols)

    return {*used, model["unk_token"], *filter(is_atom, vocabulary)}


def _byte_pairs(model: Json, used: Collection[str]) -> set[str]:
    parts: dict[str, list[str]] = {}
    for left, right in _merges(model):
        parts.setdefault(_merged(model, left, right), []).extend((left, right))
    kept, waiting = set(), [*used, *(token for token in model["vocab"] if token not in parts)]
    while waiting:
        if (token := waiting.pop()) not in kept:
            kept.add(token)
            waiting += parts.get(token, ())
    return kept


def _unigrams(model: Json, used: Collection[str]) -> set[str]:
    vocabulary = _ids(model)
    unknown = [model["vocab"][model["unk_id"]][0]] if model.get("unk_id") is not None else []

    def is_atom(token: str) -> bool:
        return len(token) < 2 or bool(_BYTE.fullmatch(token)) or not vocabulary.keys() >= set(token)

    return {*used, *unknown, *filter(is_atom, vocabulary)}


_STAYING: dict[str, Callable[[Json, Collection[str]], set[str]]] = {
    "WordPiece": _word_pieces,
    "BPE": _byte_pairs,
    "Unigram": _unigrams,
}


def _merges(model: Json) -> list[tuple[str, str]]:
    """Give the pairs, which older files join by a space."""
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
    return [(left, right) for left, right in pairs]


def _merged(model: Json, left: str, right: str) -> str:
    return left + right.removeprefix(model.get("continuing_subword_prefix") or "")


def _renumber_model(model: Json, new_ids: Mapping[int, int]) -> dict[str, Any]:
    if model["type"] == "Unigram":
        vocabulary = [entry for index, entry in enumerate(model["vocab"]) if index in new_ids]
        unknown = model.get("unk_id")
        return {**model, "vocab": vocabulary, "unk_id": None if unknown is None else new_ids[unknown]}
    kept = {token: new_ids[index] for token, index in model["vocab"].items() if index in new_ids}
    if model["type"] != "BPE":
        return {**model, "vocab": kept}
    merges = [pair for pair in _merges(model) if kept.keys() >= {*pair, _merged(model, *pair)}]
    return {**model, "vocab": kept, "merges": merges}


def _renumber_processor(processor: Json, new_ids: Mapping[int, int]) -> dict[str, Any]:
    """Change the ids that a post-processor, or one in a sequence of them, inserts."""
    changed = dict(processor)
    for role in ("cls", "sep"):
        if role in processor:
            token, index = processor[role]
            changed[role] = [token, new_ids[index]]
    if "special_tokens" in processor:
        changed["special_tokens"] = {
            name: token | {"ids": [new_ids[index] for index in token["ids"]]}
            for name, token in processor["special_tokens"].items()
        }
    if "processors" in processor:
        changed["processors"] = [_renumber_processor(part, new_ids) for part in processor["processors"]]
    return changed
