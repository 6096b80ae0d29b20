"""Processes that hold one model and do with it what lines of JSON ask for.

Each ends with its standard input, and so with the process that started it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, BinaryIO, TextIO

from kaprune_runtime.condition import describe_condition
from kaprune_runtime.errors import InputError
from kaprune_runtime.latency import LoadedModel, peak_memory
from kaprune_runtime.machine import describe_machine
from kaprune_runtime.pipeline import Classifier


def serve_timing(model: LoadedModel, requests: BinaryIO, replies: TextIO) -> None:
    """Time a model on request, so that several can take turns.

    Writes `{"load_seconds", "machine", "placement", "condition"}` first, and answers each `{"runs": 10}` with
    `{"nanoseconds": [...], "peak_bytes", "condition"}`.
    """
    about = {"load_seconds": model.load_seconds, "placement": model.placement}
    _write(
        replies, about | {"machine": asdict(describe_machine()), "condition": asdict(describe_condition())}
    )
    for request in _read(requests, {"runs": "a positive whole number"}):
        nanoseconds = model.time(request["runs"])
        condition = asdict(describe_condition())
        _write(replies, {"nanoseconds": nanoseconds, "peak_bytes": peak_memory(), "condition": condition})


def serve_texts(classifier: Classifier, requests: BinaryIO, replies: TextIO) -> None:
    """Classify texts on request.

    Answers each `{"texts": [...], "pairs": null, "max_length": null}` with any number of `{"done": texts}`,
    then `{"logits": [[...], ...]}`.
    """
    fields = {
        "texts": "a list of texts",
        "pairs": "a list of texts or null",
        "max_length": "a positive whole number or null",
    }
    for request in _read(requests, fields):
        logits = classifier.logits(
            request["texts"],
            request["pairs"],
            max_length=request["max_length"],
            on_done=partial(_write_done, replies),
        )
        _write(replies, {"logits": logits.tolist()})


def _read(requests: BinaryIO, fields: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Read a JSON object a line.

    Args:
        requests: Lines of UTF-8.
        fields: What each object holds, by the keys of `_KINDS`.

    Raises:
        InputError: A line is something else; the message says which line and what.
    """
    for number, line in enumerate(requests, 1):
        where = f"line {number} of standard input"
        try:
            request = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(f"{where} is not UTF-8; send JSON lines in UTF-8") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where} is not JSON ({error}); send one JSON object a line") from error
        for name, kind in fields.items():
            if not isinstance(request, dict) or name not in request or not _KINDS[kind](request[name]):
                raise InputError(f'{where} needs "{name}", {kind}; send one JSON object a line')
        yield request


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and _is_encodable(text) for text in value)


def _is_encodable(text: str) -> bool:
    """Tell of halves of surrogate pairs, which JSON can name and no text holds."""
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)


_KINDS: dict[str, Callable[[object], bool]] = {
    "a positive whole number": _is_whole,
    "a positive whole number or null": lambda value: value is None or _is_whole(value),
    "a list of texts": _are_texts,
    "a list of texts or null": lambda value: value is None or _are_texts(value),
}


def _write_done(replies: TextIO, texts: int) -> None:
    _write(replies, {"done": texts})


def _write(replies: TextIO, content: dict[str, object]) -> None:
    replies.write(json.dumps(content) + "\n")
    replies.flush()
