"""A process that holds one model and times it on request, so that several can take turns.

The protocol is lines of JSON. Once the model is loaded the worker writes
`{"load_seconds": 0.4, "machine": {...}}`. To each line `{"runs": 10}` on standard input it answers
`{"nanoseconds": [...], "peak_bytes": 90000000}`. It ends with standard input, and so with the process
that started it.
"""

import json
from dataclasses import asdict
from typing import TextIO

from kaprune_runtime.latency import LoadedModel, peak_memory
from kaprune_runtime.machine import describe_machine


def serve(model: LoadedModel, requests: TextIO, replies: TextIO) -> None:
    """Answer until `requests` ends."""
    _write(replies, {"load_seconds": model.load_seconds, "machine": asdict(describe_machine())})
    for line in requests:
        nanoseconds = model.time(json.loads(line)["runs"])
        _write(replies, {"nanoseconds": nanoseconds, "peak_bytes": peak_memory()})


def _write(replies: TextIO, content: dict[str, object]) -> None:
    replies.write(json.dumps(content) + "\n")
    replies.flush()
