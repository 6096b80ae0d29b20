"""kaprune-edge evaluate."""

from typing import Annotated

import typer

from . import options
from .console import print_json, progress, say, scores


def evaluate(
    source: Annotated[str, typer.Argument(help="Deployment, run or checkpoint folder.")],
    task: Annotated[str, typer.Option(help="See `prune --help`.")],
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    max_length: Annotated[int, typer.Option(help="Tokens at which a text is cut off.")] = 128,
    threads: options.Threads = 1,
    device: options.Device = "local",
    device_python: options.DevicePython = "python3",
    device_onnxruntime: options.DeviceOnnxruntime = None,
    device_library: options.DeviceLibrary = None,
    as_json: options.Json = False,
) -> None:
    """Score a model on a task: a deployment on ONNX Runtime, a checkpoint on PyTorch.

    Example: kaprune-edge evaluate deployment --task csv:all.csv --text-column review --label-column stars
    """
    from kaprune_edge.workflow import evaluate as run

    with progress() as watch:
        result = run(
            source,
            task,
            columns=options.columns(text_column, label_column),
            max_length=max_length,
            threads=threads,
            device=device,
            device_python=device_python,
            device_onnxruntime=device_onnxruntime,
            device_library=device_library,
            progress=watch,
        )
    if as_json:
        print_json(result)
        return
    say(
        f"{source} on {result['task']} ({result['rows']} rows, {result['engine']}): "
        f"{scores(result['metrics'])}"
    )
