"""kaprune-edge predict."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kaprune_runtime import QuestionAnswerer, TokenClassifier
from kaprune_runtime.deployment import read_config
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, TEXT

from . import options
from .console import print_json, progress, say


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
    if (question is not None) != (kind == QUESTIONS):
        raise InputError(
            f"{deployment} is for {kind}; {'give' if question is None else 'leave out'} --question"
        )
    if kind != TEXT:
        if pair:
            raise InputError(f"{deployment} is for {kind} and takes no --pair; leave it out")
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
    for sentence, prediction in zip(text, predictions, strict=True):
        say(f"{prediction.label}  {prediction.score:.3f}  {sentence}")


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
