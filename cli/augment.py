"""kaprune-edge augment."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import print_json, progress, resumable, say


def augment(
    task: Annotated[str, typer.Argument(help="See `prune --help`.")],
    model: Annotated[str, typer.Option(help="Model that words come from: hub id or folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON-lines file to make.")],
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    copies: Annotated[int, typer.Option(help="Copies of each row.")] = 20,
    replaced_share: options.ReplacedShare = None,
    glove: Annotated[
        Path | None, typer.Option(help="File of word vectors; the model's own embeddings when not given.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Fine-tuned model that labels the copies; as their row when not given.")
    ] = None,
    train_rows: options.TrainRows = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; as many as there are cores when not given.")
    ] = None,
    seed: options.Seed = None,
    resume: options.Resume = False,
    as_json: options.Json = False,
) -> None:
    """Write a task's training rows with copies in which words are replaced, as TinyBERT does.

    Example: kaprune-edge augment glue/sst2 --model bert-base-uncased --copies 20 -o augmented.jsonl
    """
    from kaprune_edge.augmentation import AugmentRecipe
    from kaprune_edge.augmentation import augment as run
    from kaprune_edge.recipe import make_recipe

    overrides = options.given(
        task=task,
        columns__text=text_column or None,
        columns__label=label_column,
        model=model,
        copies=copies,
        replaced_share=replaced_share,
        glove=str(glove) if glove else None,
        teacher=teacher,
        train_rows=train_rows,
        seed=seed,
    )
    with resumable(output), progress() as watch:
        result = run(
            make_recipe(AugmentRecipe, None, overrides),
            output,
            workers=workers,
            resume=resume,
            progress=watch,
        )
    if as_json:
        print_json({**asdict(result), "file": str(result.file)})
        return
    say(f"{result.file}: {result.rows:,} rows and {result.copies:,} copies")
    if result.by == "embedding neighbours":
        say(f"{model} has no language-model head: all words were replaced by {result.by}")
