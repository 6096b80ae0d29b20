"""kaprune-edge distill."""

from typing import Annotated

import typer

from . import options
from .console import print_json, progress, resumable, say, scores


def distill(
    teacher: Annotated[str | None, typer.Argument(help="Fine-tuned model: folder or hub id.")] = None,
    output: options.Output = ...,  # type: ignore[assignment]
    task: options.Task = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    student: Annotated[
        str | None,
        typer.Option(
            help="tinybert-4l-312d, tinybert-6l-768d, LAYERSxWIDTH, or equal:SPARSITY for as many encoder "
            "weights as the teacher keeps at that sparsity [tinybert-4l-312d]."
        ),
    ] = None,
    recipe: options.Recipe = None,
    train_rows: options.TrainRows = None,
    augment: options.Augment = None,
    replaced_share: options.ReplacedShare = None,
    unlabelled: options.Unlabelled = None,
    epochs: options.Epochs = None,
    learning_rate: options.LearningRate = None,
    batch_size: options.BatchSize = None,
    max_length: options.MaxLength = None,
    dropout: options.Dropout = None,
    seed: options.Seed = None,
    resume: options.Resume = False,
    as_json: options.Json = False,
) -> None:
    """Distil a small dense student, the baseline that a sparse model has to beat.

    Example: kaprune-edge distill run/teacher --task glue/sst2 --student tinybert-4l-312d -o tiny
    """
    from kaprune_edge.begun import begun_recipe
    from kaprune_edge.recipe import DistillRecipe, make_recipe
    from kaprune_edge.workflow import distill as run

    overrides = options.given(
        teacher=teacher,
        task=task,
        columns__text=text_column or None,
        columns__label=label_column,
        student=student,
        train_rows=train_rows,
        augment=augment,
        replaced_share=replaced_share,
        unlabelled=str(unlabelled) if unlabelled else None,
        training__epochs=epochs,
        training__learning_rate=learning_rate,
        training__batch_size=batch_size,
        training__max_length=max_length,
        training__dropout=dropout,
        seed=seed,
    )
    with resumable(output), progress() as watch:
        todo = make_recipe(DistillRecipe, recipe or (begun_recipe(output) if resume else None), overrides)
        result = run(todo, output, resume=resume, progress=watch)
    if as_json:
        print_json(dict(result.metrics))
        return
    metrics = result.metrics
    say(f"{result.folder}: {metrics['encoder_weights']:,} encoder weights")
    say(f"  student  {scores(metrics['metrics'])}")
    say(f"  teacher  {scores(metrics['teacher_metrics'])}")
