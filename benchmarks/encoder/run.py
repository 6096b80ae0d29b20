"""Times a whole sparse encoder beside dense ones, all in turns: `python benchmarks/encoder/run.py`.

Writes results.json, or minilm.json of that shape, which table.py turns into the tables and the picture of
README.md.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from models import BERT_BASE, SHAPES, entrant, plain_file
from second_thread import second_thread

from kaprune_edge.bench.comparison import Entrant, Workload
from kaprune_edge.bench.turns import time_in_turns
from kaprune_edge.bench.worker import Worker
from kaprune_edge.devices import LocalDevice, LocalProcess
from kaprune_edge.progress import Silent
from kaprune_runtime.machine import describe_machine

HERE = Path(__file__).parent
RESULTS = {BERT_BASE: "results.json", "minilm": "minilm.json"}

BLOCKS = "95 % 4x1"
ENGINES = {
    "deepsparse": "DeepSparse 1.8, 95 % unstructured",
    "openvino": "OpenVINO 2026.4, 95 % unstructured",
}
"""Others that run the unstructured model's weights, each in an environment of its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default=BERT_BASE)
    parser.add_argument("--work", type=Path, default=Path("build/encoder"), help="folder for the models")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3, help="timed runs in a turn")
    parser.add_argument("--tokens", type=int, nargs="*", help="only these lengths; others stay as they are")
    for engine in ENGINES:
        parser.add_argument(f"--{engine}", type=Path, metavar="PYTHON", help=f"that has {engine} installed")
    parser.add_argument("--output", type=Path, help="in place of results.json or minilm.json")
    arguments = parser.parse_args()
    output = arguments.output or HERE / RESULTS[arguments.shape]
    shape = SHAPES[arguments.shape]
    engines = {name: python for name in ENGINES if (python := getattr(arguments, name))}
    if engines and arguments.shape != BERT_BASE:
        parser.error(f"other engines run {BERT_BASE} alone")

    entrants = [entrant(name, arguments.work, arguments.shape) for name in shape.names]
    names = shape.names + [ENGINES[name] for name in engines]
    plain = plain_file("95 % unstructured", arguments.work) if engines else None
    results = []
    for tokens, threads in shape.settings:
        if arguments.tokens and tokens not in arguments.tokens:
            continue
        workload = Workload(tokens, 1, threads, arguments.rounds, arguments.runs)
        options = [f"--sequence-length={tokens}", "--batch-size=1", f"--threads={threads}"]
        starts: list[Callable[[], Worker]] = [partial(_start, each, options) for each in entrants]
        for engine, python in engines.items():
            command = [str(python), str(HERE / f"{engine}_worker.py"), str(plain)]
            starts.append(partial(_start_engine, engine, [*command, str(tokens), str(threads)]))
        timings, _ = time_in_turns(starts, reference=0, workload=workload, progress=Silent())
        for name, timing in zip(names, timings, strict=True):
            results.append({"model": name, "tokens": tokens, "threads": threads, **asdict(timing)})
            figures = f"{timing.median_ms:8.2f} ms {timing.speedup:6.2f}x"
            print(f"{tokens:4} tokens {threads} threads  {figures}  {name}", flush=True)
    content = {
        "machine": asdict(describe_machine()),
        "rounds": arguments.rounds,
        "runs": arguments.runs,
        "rows": _of_other_lengths(output, arguments.tokens) + results,
    }
    if arguments.shape == BERT_BASE:
        blocks = entrant(BLOCKS, arguments.work)
        content["second_thread"] = second_thread(partial(_start_blocks, blocks), arguments.rounds)
    output.write_text(json.dumps(content, indent=1) + "\n")


def _of_other_lengths(results: Path, tokens: list[int] | None) -> list[dict[str, Any]]:
    if not tokens or not results.exists():
        return []
    return [row for row in json.loads(results.read_text())["rows"] if row["tokens"] not in tokens]


def _start_blocks(entrant: Entrant, threads: int) -> Worker:
    return _start(entrant, ["--sequence-length=128", "--batch-size=1", f"--threads={threads}"])


def _start(entrant: Entrant, options: list[str]) -> Worker:
    return Worker(entrant.name, LocalDevice().start("worker", options, entrant.folder))


def _start_engine(name: str, command: list[str]) -> Worker:
    return Worker(name, LocalProcess(command))


if __name__ == "__main__":
    main()
