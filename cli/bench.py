"""kaprune-edge bench."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kaprune_runtime.errors import InputError, KapruneError

from . import options
from .console import print_json, progress, show

STANDARD_OUTPUT = Path("-")


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
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
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
            "--json",
            dir_okay=False,
            allow_dash=True,
            help="Write the figures to a new file; - prints them, and no table.",
        ),
    ] = None,
) -> None:
    """Measure latency, load time, memory, size and accuracy beside baselines, in turns.

    Example: kaprune-edge bench deployment --baseline tinybert-4l-312d --device ssh://pi@raspberrypi.local
    """
    from kaprune_edge.bench.report import render
    from kaprune_edge.workflow import bench as run

    with _new_file(json_file) as write:
        with progress() as watch:
            result = run(
                deployment,
                baselines=baseline or [],
                task_spec=task,
                columns=options.columns(text_column, label_column),
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
        if json_file == STANDARD_OUTPUT:
            print_json(result.to_dict())
            return
        try:
            show(render(result))
        finally:
            write(json.dumps(result.to_dict(), indent=2) + "\n")


@contextmanager
def _new_file(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Open a file before the measurement, so that nothing measured is lost; without figures there is no file.

    Yields:
        Writes the figures.

    Raises:
        InputError: The file exists, or its place cannot be written to.
        KapruneError: The figures cannot be written.
    """
    if path is None or path == STANDARD_OUTPUT:
        yield lambda figures: None
        return
    try:
        is_new = not path.exists() or path.is_file()  # neither a device nor a pipe
        file = path.open("x" if is_new else "w", encoding="utf-8")
    except FileExistsError as error:
        raise InputError(f"{path} exists; choose another --json or delete it") from error
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another --json") from error
    is_written = False

    def write(figures: str) -> None:
        nonlocal is_written
        try:
            with file:
                file.write(figures)
        except OSError as error:
            raise KapruneError(f"cannot write {path}: {error.strerror}; the table has the figures") from error
        is_written = True

    try:
        yield write
    finally:
        file.close()
        if is_new and not is_written:
            path.unlink(missing_ok=True)
