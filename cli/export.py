"""kaprune-edge export."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kaprune_runtime.terminal import quoted

from . import options
from .console import print_json, progress, say


def export(
    source: Annotated[str, typer.Argument(help="Run or checkpoint folder, hub id, or ONNX file.")],
    output: options.Output,
    target: Annotated[
        str,
        typer.Option(help="x86-64, x86-64-v3, x86-64-v4, arm64, arm64-dotprod, arm64-i8mm or portable."),
    ] = "x86-64",
    quantize: Annotated[str | None, typer.Option(help="Round the packed matrices: int8.")] = None,
    embeddings: Annotated[str | None, typer.Option(help="Round the embedding tables: int8 or int4.")] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="TASK", help="Fit int8 products to the training texts of a task, named as for `evaluate`."
        ),
    ] = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    trim_vocabulary: Annotated[
        Path | None, typer.Option(help="Keep only the tokens that this text file, one text a line, needs.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option(help="Operator library for a target that is not this machine's.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Export a model as one portable sparse ONNX file, checked against its source.

    Example: kaprune-edge export run --target arm64 --quantize int8 --embeddings int8 -o deployment
    """
    from kaprune_edge.workflow import export as run

    with progress() as watch:
        result = run(
            source,
            output,
            target=target,
            quantize=quantize,
            embeddings=embeddings,
            calibrate=calibrate,
            columns=options.columns(text_column, label_column),
            trim=trim_vocabulary,
            library=library,
            progress=watch,
        )
    if as_json:
        print_json({**asdict(result), "folder": str(result.folder)})
        return
    if trim_vocabulary:
        say(f"{result.tokens:,} tokens kept")
    say(
        f"{result.folder}: {result.file_bytes / 1e6:.1f} MB, packed matrices {result.sparsity:.1%} sparse, "
        f"logits within {result.parity_error:.1e} of the source"
        + (f", {result.quantization_error:.1e} after quantization" if quantize or embeddings else "")
    )
    if gain := result.calibration:
        say(
            f"{gain.matrices} matrices calibrated: on other texts of the task logits are off by "
            f"{gain.difference:.3f} on average, {gain.difference_before:.3f} without"
        )
    bench = quoted("kaprune-edge", "bench", result.folder, "--baseline", "tinybert-4l-312d")
    say(f"next: {bench}")
