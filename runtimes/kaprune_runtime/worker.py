"""Processes that hold one model and do with it what lines of JSON ask for.

Each ends with its standard input, and so with the process that started it.
"""

import json
from dataclasses import asdict
from functools import partial
from typing import TextIO

from kaprune_runtime.condition import describe_condition
from kaprune_runtime.latency import LoadedModel, peak_memory
from kaprune_runtime.machine import describe_machine
from kaprune_runtime.pipeline import Classifier


def serve_timing(model: LoadedModel, requests: TextIO, replies: TextIO) -> None:
    """Time a model on request, so that several can take turns.

    Writes `{"load_seconds", "machine", "placement", "condition"}` first, and answers each `{"runs": 10}` with
    `{"nanoseconds": [...], "peak_bytes", "condition"}`.
    """
    about = {"load_seconds": model.load_seconds, "placement": model.placement}
    _write(
        replies, about | {"machine": asdict(describe_machine()), "condition": asdict(describe_condition())}
    )
    for line in requests:
        nanoseconds = model.time(json.loads(line)["runs"])
        condition = asdict(describe_condition())
        _write(replies, {"nanoseconds": nanoseconds, "peak_bytes": peak_memory(), "condition": condition})


def serve_texts(classifier: Classifier, requests: TextIO, replies: TextIO) -> None:
    """Classify texts on request.

    Answers each `{"texts": [...], "pairs": null, "max_length": null}` with any number of `{"done": texts}`,
    then `{"logits": [[...], ...]}`.
    """
    for line in requests:
        request = json.loads(line)
        logits = classifier.logits(
            request["texts"],
            request["pairs"],
            max_length=request["max_length"],
            on_done=partial(_write_done, replies),
        )
        _write(replies, {"logits": logits.tolist()})


def _write_done(replies: TextIO, texts: int) -> None:
    _write(replies, {"done": texts})


def _write(replies: TextIO, content: dict[str, object]) -> None:
    replies.write(json.dumps(content) + "\n")
    replies.flush()
