"""kaprune-edge predict."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import print_json, say


def predict(
    deployment: Annotated[Path, typer.Argument(help="Deployment folder.")],
    text: Annotated[list[str], typer.Argument(help="Texts to classify.")],
    pair: Annotated[
        list[str] | None, typer.Option(help="Second text of a pair; as many as there are texts.")
    ] = None,
    threads: options.Threads = 1,
    as_json: options.Json = False,
) -> None:
    """Classify texts with a deployment.

    Example: kaprune-edge predict deployment "a quiet, moving film"
    """
    from kaprune_runtime import Classifier

    predictions = Classifier(deployment, threads=threads)(text, pair)
    if as_json:
        print_json({"predictions": [asdict(prediction) for prediction in predictions]})
        return
    for sentence, prediction in zip(text, predictions, strict=True):
        say(f"{prediction.label}  {prediction.score:.3f}  {sentence}")
