"""Options that several commands share, and the recipe that options make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kaprune_edge.tasks import Columns

Task = Annotated[
    str | None,
    typer.Option(
        help="glue/NAME, glue/NAME:DIR, csv:FILE (which is split), csv:TRAIN,EVAL, demo/movie-reviews; tsv, "
        "jsonl and parquet in place of csv; words with tags: conll2003, tags:TRAIN,EVAL; questions: squad, "
        "squad_v2, squad:TRAIN,EVAL."
    ),
]
TextColumn = Annotated[
    list[str] | None,
    typer.Option(
        help="Column of texts in the task's files; given twice for pairs. By usual names when not given."
    ),
]
LabelColumn = Annotated[str | None, typer.Option(help="Column of labels in the task's files [label].")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")]
Recipe = Annotated[Path | None, typer.Option(help="YAML file of what to do; options win over it.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")]
TrainRows = Annotated[int | None, typer.Option(help="Train on a random subset of this many rows.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the training rows.")]
LearningRate = Annotated[float | None, typer.Option(help="Of AdamW.")]
BatchSize = Annotated[int | None, typer.Option(help="Rows a training step.")]
MaxLength = Annotated[int | None, typer.Option(help="Tokens at which a text is cut off.")]
Dropout = Annotated[float | None, typer.Option(help="Replaces the checkpoint's own.")]
Augment = Annotated[
    int | None, typer.Option(help="Copies of each row in which words are replaced; see `augment --help` [0].")
]
ReplacedShare = Annotated[float | None, typer.Option(help="Words that a copy replaces, of all [0.4].")]
Unlabelled = Annotated[
    Path | None,
    typer.Option(
        help="More texts, no labels needed: a text a line, or .csv, .tsv, .jsonl or .parquet with the task's "
        "columns."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of everything random.")]
Threads = Annotated[int, typer.Option(help="Threads of ONNX Runtime.")]
Device = Annotated[
    str, typer.Option(help="Where to run: local, ssh://USER@HOST[:PORT][/FOLDER] or adb://SERIAL[/FOLDER].")
]
DevicePython = Annotated[str, typer.Option(help="Command or path of Python there.")]
DeviceOnnxruntime = Annotated[
    Path | None, typer.Option(help="ONNX Runtime's shared library for a device without Python.")
]
DeviceLibrary = Annotated[
    Path | None, typer.Option(help="Operator library for the device, or the wheel that holds it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given; `__` in a name stands for the dot of a nested field."""
    return {name.replace("__", "."): value for name, value in options.items() if value is not None}


def columns(text: list[str] | None, label: str | None) -> "Columns":
    """Make columns of the options that name them."""
    from kaprune_edge.recipe import make_recipe
    from kaprune_edge.tasks import Columns

    return make_recipe(Columns, None, given(text=text or None, label=label))
