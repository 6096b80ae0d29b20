"""kaprune-edge predict."""

import re
from collections.abc import Collection
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption
from typer.exceptions import TyperException

from kaprune_runtime import QuestionAnswerer, TokenClassifier
from kaprune_runtime.deployment import read_config
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT, check_inputs
from kaprune_runtime.pipeline import columns

from . import options
from .console import print_json, progress, say

_TEXT = re.compile(r"-\S*\s|-\d")
"""What begins as no option does: a number, or a first word with white space after it; as argparse has it."""


class PredictCommand(TyperCommand):
    """Takes texts that begin with a dash, such as "-5 stars"."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the texts behind a `--`."""
        named = [option for option in self.params if isinstance(option, TyperOption)]
        takes_value = {name for option in named for name in option.opts if not option.is_flag}
        options: list[str] = []
        texts: list[str] = []
        rest = iter(args)
        for argument in rest:
            if argument == "--":
                texts += rest
            elif _is_text(argument, takes_value):
                texts.append(argument)
            else:
                options += [argument, *islice(rest, argument in takes_value)]
        if options and options[-1] in takes_value:
            return super().parse_args(ctx, args)  # which complains of the missing value
        try:
            return super().parse_args(ctx, [*options, "--", *texts])
        except TyperException as error:
            if error.message.startswith("No such option"):
                error.message += "; a text that begins with a dash goes after --"
            raise


def _is_text(argument: str, takes_value: Collection[str]) -> bool:
    if not argument.startswith("-") or argument == "-":
        return True
    return argument.partition("=")[0] not in takes_value and _TEXT.match(argument) is not None


def predict(
    deployment: Annotated[Path, typer.Argument(help="Deployment folder.")],
    text: Annotated[list[str], typer.Argument(help="Texts to classify, tag or find answers in.")],
    pair: Annotated[
        list[str] | None, typer.Option(help="Second text of a pair; as many as there are texts.")
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(help="Question that each text is to answer; may be given several times."),
    ] = None,
    null_threshold: Annotated[
        float | None,
        typer.Option(help="Give no answer where its score leads by more than this; for SQuAD 2.0 models."),
    ] = None,
    threads: options.Threads = 1,
    device: options.Device = "local",
    device_python: options.DevicePython = "python3",
    device_onnxruntime: options.DeviceOnnxruntime = None,
    device_library: options.DeviceLibrary = None,
    as_json: options.Json = False,
) -> None:
    """Classify texts, tag their words or find answers in them, with a deployment.

    Example: kaprune-edge predict deployment "a quiet, moving film"
    """
    from kaprune_edge.devices import LOCAL, open_device

    kind = read_config(deployment).kind
    check_inputs(deployment, kind, pairs=pair, questions=question, null_threshold=null_threshold)
    if kind != TEXT:
        if device != LOCAL:
            raise InputError(
                f"{deployment} is for {kind} and devices classify sentences only; leave out --device"
            )
        if question:
            _answer(deployment, text, question, threads, null_threshold, as_json)
        else:
            _tag(deployment, text, threads, as_json)
        return
    with (
        progress() as watch,
        open_device(
            device, python=device_python, onnxruntime=device_onnxruntime, library=device_library
        ) as place,
    ):
        place.prepare([deployment], watch)
        with place.classifier(deployment, threads=threads) as classifier:
            predictions = classifier(text, pair)
    if as_json:
        print_json({"predictions": [asdict(prediction) for prediction in predictions]})
        return
    config = read_config(deployment)
    for sentence, prediction in zip(text, predictions, strict=True):
        say("  ".join([*columns(prediction, config, digits=3), sentence]))


def _tag(deployment: Path, texts: list[str], threads: int, as_json: bool) -> None:
    found = TokenClassifier(deployment, threads=threads)(texts)
    if as_json:
        print_json({"predictions": [[asdict(entity) for entity in entities] for entities in found]})
        return
    for text, entities in zip(texts, found, strict=True):
        say(text)
        for entity in entities:
            say(f"  {entity.label}  {entity.score:.3f}  {entity.start}-{entity.end}  {entity.text}")


def _answer(
    deployment: Path,
    texts: list[str],
    questions: list[str],
    threads: int,
    null_threshold: float | None,
    as_json: bool,
) -> None:
    asked = [(question, text) for text in texts for question in questions]
    answers = QuestionAnswerer(deployment, threads=threads)(
        [question for question, _ in asked], [text for _, text in asked], null_threshold=null_threshold
    )
    if as_json:
        predictions = [
            {"question": question, **asdict(answer)}
            for (question, _), answer in zip(asked, answers, strict=True)
        ]
        print_json({"predictions": predictions})
        return
    for (question, _), answer in zip(asked, answers, strict=True):
        say(question)
        say(f"  {answer.score:.3f}  {answer.start}-{answer.end}  {answer.text or '(no answer)'}")
