"""kaprune-edge predict."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import print_json, progress, say


def predict(
    deployment: Annotated[Path, typer.Argument(help="Deployment folder.")],
    text: Annotated[list[str], typer.Argument(help="Texts to classify.")],
    pair: Annotated[
        list[str] | None, typer.Option(help="Second text of a pair; as many as there are texts.")
    ] = None,
    threads: options.Threads = 1,
    device: options.Device = "local",
    device_python: options.DevicePython = "python3",
    device_onnxruntime: options.DeviceOnnxruntime = None,
    device_library: options.DeviceLibrary = None,
    as_json: options.Json = False,
) -> None:
    """Classify texts with a deployment.

    Example: kaprune-edge predict deployment "a quiet, moving film"
    """
    from kaprune_edge.devices import open_device

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
