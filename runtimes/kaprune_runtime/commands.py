"""The commands of `python -m kaprune_runtime`."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np

from kaprune_runtime.answering import QuestionAnswerer
from kaprune_runtime.deployment import read_config
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT, TOKENS, check_inputs
from kaprune_runtime.latency import LoadedModel, measure
from kaprune_runtime.pipeline import Classifier, columns
from kaprune_runtime.providers import CPU
from kaprune_runtime.tagging import TokenClassifier
from kaprune_runtime.terminal import to_json, visible, write
from kaprune_runtime.worker import serve_texts, serve_timing


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    parsed.command(parsed)
    return 0


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as all commands do."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m kaprune_runtime", description="Predict and measure on a device.")
    commands = parser.add_subparsers(required=True)

    predict = commands.add_parser("predict", help="classify texts, tag their words or find answers in them")
    predict.add_argument("folder", type=Path, help="deployment folder")
    predict.add_argument("text", nargs="+")
    predict.add_argument("--pair", action="append", help="second text, once for each TEXT of a pair task")
    predict.add_argument("--question", action="append", help="what each TEXT is to answer; may be repeated")
    predict.add_argument(
        "--null-threshold", type=float, help="give no answer where its score leads by more than this"
    )
    predict.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_session_options(predict)
    predict.set_defaults(command=_predict)

    latency = commands.add_parser("latency", help="time a deployment")
    _add_latency_options(latency)
    latency.add_argument("--runs", type=int, default=50)
    latency.add_argument("--json", action="store_true", help="print one JSON object")
    latency.set_defaults(command=_latency)

    worker = commands.add_parser("worker", help="hold a deployment and time it on request (for `bench`)")
    _add_latency_options(worker)
    worker.set_defaults(command=_worker)

    classifier = commands.add_parser("classifier", help="hold a deployment and classify texts on request")
    classifier.add_argument("folder", type=Path, help="deployment folder")
    _add_session_options(classifier)
    classifier.set_defaults(command=_classifier)
    return parser


def _add_latency_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="deployment folder")
    parser.add_argument("--sequence-length", type=int, default=128, help="tokens (default 128)")
    parser.add_argument("--batch-size", type=int, default=1, help="texts in one run (default 1)")
    _add_session_options(parser)


def _add_session_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=1, help="threads of one run (default 1)")
    parser.add_argument(
        "--provider", default=CPU, help=f"execution provider, or path of a plugin library (default {CPU})"
    )


def _predict(parsed: argparse.Namespace) -> None:
    kind = read_config(parsed.folder).kind
    check_inputs(
        parsed.folder,
        kind,
        pairs=parsed.pair,
        questions=parsed.question,
        null_threshold=parsed.null_threshold,
    )
    if kind != TEXT:
        (_tag if kind == TOKENS else _answer)(parsed)
        return
    classifier = Classifier(parsed.folder, threads=parsed.threads, provider=parsed.provider)
    for text, prediction in zip(parsed.text, classifier(parsed.text, parsed.pair), strict=True):
        if parsed.json:
            write(to_json({"text": text, **asdict(prediction)}) + "\n")
        else:
            _say_columns(*columns(prediction, classifier.config, digits=4), text)


def _tag(parsed: argparse.Namespace) -> None:
    tagger = TokenClassifier(parsed.folder, threads=parsed.threads, provider=parsed.provider)
    for text, entities in zip(parsed.text, tagger(parsed.text), strict=True):
        if parsed.json:
            found = [asdict(entity) for entity in entities]
            write(to_json({"text": text, "entities": found}) + "\n")
        else:
            for entity in entities:
                _say_columns(entity.label, f"{entity.score:.4f}", entity.start, entity.end, entity.text)


def _answer(parsed: argparse.Namespace) -> None:
    answerer = QuestionAnswerer(parsed.folder, threads=parsed.threads, provider=parsed.provider)
    asked = [(question, text) for text in parsed.text for question in parsed.question]
    questions, texts = zip(*asked, strict=True)
    for question, answer in zip(
        questions, answerer(questions, texts, null_threshold=parsed.null_threshold), strict=True
    ):
        if parsed.json:
            write(to_json({"question": question, **asdict(answer)}) + "\n")
        else:
            _say_columns(answer.text, f"{answer.score:.4f}", answer.start, answer.end, question)


def _say_columns(*cells: object) -> None:
    write("\t".join(visible(str(cell)) for cell in cells) + "\n")


def _latency(parsed: argparse.Namespace) -> None:
    result = measure(
        parsed.folder,
        runs=parsed.runs,
        sequence_length=parsed.sequence_length,
        batch_size=parsed.batch_size,
        threads=parsed.threads,
        provider=parsed.provider,
    )
    median, p90, p99 = np.percentile(result.milliseconds, [50, 90, 99])
    figures = {
        "median_ms": round(median, 4),
        "p90_ms": round(p90, 4),
        "p99_ms": round(p99, 4),
        "load_s": round(result.load_seconds, 4),
        "peak_memory_mb": round(result.peak_bytes / 1e6, 2),
    }
    if parsed.json:
        write(to_json(figures) + "\n")
        return
    for name, value in figures.items():
        _say_columns(name, f"{value:g}")


def _worker(parsed: argparse.Namespace) -> None:
    replies = _take_output()
    model = LoadedModel(
        parsed.folder,
        sequence_length=parsed.sequence_length,
        batch_size=parsed.batch_size,
        threads=parsed.threads,
        provider=parsed.provider,
    )
    serve_timing(model, sys.stdin.buffer, replies)


def _classifier(parsed: argparse.Namespace) -> None:
    replies = _take_output()
    classifier = Classifier(parsed.folder, threads=parsed.threads, provider=parsed.provider)
    serve_texts(classifier, sys.stdin.buffer, replies)


def _take_output() -> TextIO:
    """Keep standard output for replies: what libraries print there goes to standard error from now on."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies
