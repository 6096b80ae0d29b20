"""kaprune-edge bench."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kaprune_runtime.errors import InputError

from . import options
from .console import OUT, print_json, progress


def bench(
    deployment: Annotated[list[Path], typer.Argument(help="Deployment folders.")],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            help="tinybert-4l-312d, tinybert-6l-768d, dense, or a folder; :int8 after it quantizes. "
            "May be given several times; speed refers to the first."
        ),
    ] = None,
    task: options.Task = None,
    sequence_length: Annotated[int, typer.Option(help="Tokens of each text.")] = 128,
    batch_size: Annotated[int, typer.Option(help="Texts in one run.")] = 1,
    threads: options.Threads = 1,
    rounds: Annotated[int, typer.Option(help="Turns of each model.")] = 20,
    provider: Annotated[
        list[str] | None,
        typer.Option(
            help="Execution provider there, such as XNNPACK, or the path there of a plugin library. "
            "May be given several times; all that compute there unless given."
        ),
    ] = None,
    device: options.Device = "local",
    device_python: options.DevicePython = "python3",
    device_onnxruntime: options.DeviceOnnxruntime = None,
    device_library: options.DeviceLibrary = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", dir_okay=False, allow_dash=True, help="Write the figures here; - prints them."
        ),
    ] = None,
) -> None:
    """Measure latency, load time, memory, size and accuracy beside baselines, in turns.

    Example: kaprune-edge bench deployment --baseline tinybert-4l-312d --device ssh://pi@raspberrypi.local
    """
    from kaprune_edge.bench.report import render
    from kaprune_edge.workflow import bench as run

    if json_file is not None and not json_file.parent.is_dir():
        raise InputError(f"{json_file.parent} is not a folder; choose another --json")
    with progress() as watch:
        result = run(
            deployment,
            baselines=baseline or [],
            task_spec=task,
            sequence_length=sequence_length,
            batch_size=batch_size,
            threads=threads,
            rounds=rounds,
            providers=provider or [],
            device=device,
            device_python=device_python,
            device_onnxruntime=device_onnxruntime,
            device_library=device_library,
            progress=watch,
        )
    if json_file == Path("-"):
        print_json(result.to_dict())
        return
    if json_file is not None:
        json_file.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    OUT.print(render(result))
