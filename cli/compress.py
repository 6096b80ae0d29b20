"""kaprune-edge compress."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from kaprune_runtime.errors import InputError
from kaprune_runtime.terminal import quoted

from . import options
from .console import print_json, progress, resumable, say, show

if TYPE_CHECKING:
    from kaprune_edge.compress import Compression

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def compress(
    model: Annotated[
        str | None, typer.Argument(help="Encoder or fine-tuned model: hub id or folder.")
    ] = None,
    output: options.Output = ...,  # type: ignore[assignment]
    task: Annotated[
        str | None,
        typer.Option(help="See `prune --help`; or texts:FILE, no labels, for a fine-tuned MODEL."),
    ] = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    max_drop: Annotated[
        float | None, typer.Option(help="Points that the headline metric may lose [1].")
    ] = None,
    time_limit: Annotated[str, typer.Option(help="For everything, such as 10m or 1h.")] = "1h",
    target: Annotated[
        str | None, typer.Option(help="Where it is to run; see `export --help` [x86-64].")
    ] = None,
    pattern: Annotated[str | None, typer.Option(help="Blocks of weights that go together [4x1].")] = None,
    unlabelled: options.Unlabelled = None,
    train_rows: options.TrainRows = None,
    max_length: options.MaxLength = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder for the teacher and every step [OUTPUT-work].")
    ] = None,
    seed: options.Seed = None,
    resume: options.Resume = False,
    as_json: options.Json = False,
) -> None:
    """Find the fastest model that loses at most so many points, in the time that you give.

    Example: kaprune-edge compress bert-base-uncased --task glue/sst2 --max-drop 1 --time-limit 1h -o small
    """
    limit = seconds(time_limit)
    from kaprune_edge.begun import begun_recipe
    from kaprune_edge.compress import CompressRecipe
    from kaprune_edge.compress import compress as run
    from kaprune_edge.recipe import make_recipe

    overrides = options.given(
        model=model,
        task=task,
        columns__text=text_column or None,
        columns__label=label_column,
        max_drop=max_drop,
        target=target,
        pattern=pattern,
        unlabelled=str(unlabelled) if unlabelled else None,
        train_rows=train_rows,
        max_length=max_length,
        seed=seed,
    )
    work = work or output.with_name(f"{output.name}-work")
    with resumable(output, work), progress() as watch:
        result = run(
            make_recipe(CompressRecipe, begun_recipe(work) if resume else None, overrides),
            output,
            time_limit=limit,
            work=work,
            resume=resume,
            progress=watch,
        )
    if as_json:
        print_json(result.to_dict())
        return
    show(ladder(result))
    for line in verdict(result):
        say(line)


def seconds(text: str) -> float:
    """Read a time such as 90s, 10m or 1h."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min|h)", text.strip())
    if found is None or float(found[1]) == 0:
        raise InputError(f"'{text}' is no time; write a number and its unit, such as 90s, 10m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def ladder(result: "Compression") -> Table:
    """Show every step of a search."""
    table = Table("step")
    for heading in (
        "sparsity\n%",
        "latency\nms",
        "file\nMB",
        "drop and its 95 %\ninterval, points",
        "time\nmin",
        "promise",
    ):
        table.add_column(heading, justify="right")
    for outcome in (result.dense, *result.outcomes):
        drop = outcome.drop
        promise = "kept" if outcome.kept else "missed"
        table.add_row(
            f"{outcome.attempt.number}" if outcome.attempt.number else "dense",
            f"{100 * outcome.attempt.sparsity:.3g}",
            f"{outcome.milliseconds:.1f}",
            f"{outcome.file_bytes / 1e6:.1f}",
            f"{drop.points:.1f} ({drop.low:.1f} to {drop.high:.1f})",
            f"{outcome.seconds / 60:.1f}",
            "delivered" if outcome == result.delivered else promise,
        )
    return table


def verdict(result: "Compression") -> list[str]:
    """Say whether the promise is kept, and by what."""
    promise = f"at most {result.max_drop:g} points of {result.headline} lost"
    lines = [
        f"Teacher: {result.headline} {100 * result.teacher:.1f} on {result.held_out_rows:,} held-out rows."
    ]
    if result.note:
        lines.append(f"Note: {result.note}.")
    if result.interrupted:
        again = quoted("kaprune-edge", "compress", "-o", result.folder, "--work", result.work, "--resume")
        lines.append(f"The search was interrupted; go on with: {again}")
    if result.delivered.attempt.number:
        drop = result.drop
        lines.append(
            f"Promise kept ({promise}): {drop.points:.1f}, 95 % interval {drop.low:.1f} to {drop.high:.1f}."
        )
        lines.append(f"Speed: {result.speedup:.1f} times the dense int8 model's.")
    elif result.delivered.kept:
        lines.append(f"No sparse model kept the promise ({promise}). The dense int8 model is delivered.")
    else:
        lines.append(f"No model kept the promise ({promise}). The dense int8 model is delivered.")
    lines.append(f"{result.folder}: the deployment; {result.work}: teacher and steps")
    return lines
