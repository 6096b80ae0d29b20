"""kaprune-edge compress."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from kaprune_runtime.errors import InputError

from . import options
from .console import print_json, progress, say, show

if TYPE_CHECKING:
    from kaprune_edge.compress import Compression
    from kaprune_edge.compress.ladder import Outcome

_HEADINGS = (
    *("sparsity\n%", "latency\nms", "file\nMB", "drop\npoints"),
    *("95 %\ninterval", "training\nsteps", "time\nmin"),
)
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def compress(
    model: Annotated[str, typer.Argument(help="Encoder or fine-tuned model: hub id or folder.")],
    output: options.Output,
    task: Annotated[
        str, typer.Option(help="See `prune --help`; or texts:FILE, no labels, for a fine-tuned MODEL.")
    ],
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    max_drop: Annotated[float, typer.Option(help="Points that the headline metric may lose.")] = 1,
    time_limit: Annotated[str, typer.Option(help="For everything, such as 10m or 1h.")] = "1h",
    target: Annotated[str, typer.Option(help="Where it is to run; see `export --help`.")] = "x86-64",
    pattern: Annotated[str, typer.Option(help="Blocks of weights that go together.")] = "4x1",
    unlabelled: options.Unlabelled = None,
    train_rows: options.TrainRows = None,
    max_length: Annotated[int, typer.Option(help="Tokens at which a text is cut off.")] = 128,
    work: Annotated[
        Path | None, typer.Option(help="Folder for the teacher and every step [OUTPUT-work].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    resume: options.Resume = False,
    as_json: options.Json = False,
) -> None:
    """Find the fastest model that loses at most so many points, in the time that you give.

    Example: kaprune-edge compress bert-base-uncased --task glue/sst2 --max-drop 1 --time-limit 1h -o small
    """
    seconds = _seconds(time_limit)
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
    with progress() as watch:
        result = run(
            make_recipe(CompressRecipe, None, overrides),
            output,
            time_limit=seconds,
            work=work,
            resume=resume,
            progress=watch,
        )
    if as_json:
        print_json(result.to_dict())
        return
    show(_table(result))
    for line in _verdict(result):
        say(line)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min|h)", text.strip())
    if found is None or float(found[1]) == 0:
        raise InputError(f"'{text}' is no time; write a number and its unit, such as 90s, 10m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def _table(result: "Compression") -> Table:
    table = Table("step")
    for heading in (
        "sparsity\n%",
        "latency\nms",
        "file\nMB",
        "drop\npoints",
        "95 %\ninterval",
        "training\nsteps",
        "time\nmin",
    ):
        table.add_column(heading, justify="right")
    for outcome in (result.dense, *result.outcomes):
        chosen = " (delivered)" if outcome == result.delivered else ""
        table.add_row(_name(outcome) + chosen, *_cells(outcome))
    return table


def _name(outcome: "Outcome") -> str:
    if not outcome.attempt.number:
        return "dense int8"
    return f"{outcome.attempt.number}" + ("" if outcome.kept else ", missed")


def _cells(outcome: "Outcome") -> tuple[str, ...]:
    drop = outcome.drop
    return (
        f"{100 * outcome.attempt.sparsity:.3g}",
        f"{outcome.milliseconds:.1f}",
        f"{outcome.file_bytes / 1e6:.1f}",
        f"{drop.points:.1f}",
        f"{drop.low:.1f} to {drop.high:.1f}",
        f"{outcome.steps}",
        f"{outcome.seconds / 60:.1f}",
    )


def _verdict(result: "Compression") -> list[str]:
    promise = f"at most {result.max_drop:g} points of {result.headline} lost"
    lines = [
        f"Teacher: {result.headline} {100 * result.teacher:.1f} on {result.held_out_rows:,} held-out rows."
    ]
    if result.interrupted:
        lines.append("The search was interrupted; --resume goes on with it.")
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
