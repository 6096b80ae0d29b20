"""kaprune-edge prune."""

from typing import Annotated

import typer

from kaprune_runtime.terminal import quoted

from . import options
from .console import print_json, progress, resumable, say, scores


def prune(
    model: Annotated[str | None, typer.Argument(help="Pretrained encoder: hub id or folder.")] = None,
    output: options.Output = ...,  # type: ignore[assignment]
    task: options.Task = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    sparsity: Annotated[float | None, typer.Option(help="Share of the weights to remove [0.95].")] = None,
    pattern: Annotated[
        str | None, typer.Option(help="unstructured, RxC such as 4x1, or N:M such as 2:4 [unstructured].")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Fine-tuned model; made first when not given.")] = None,
    schedule: Annotated[str | None, typer.Option(help="cubic or linear [cubic].")] = None,
    start: Annotated[
        str | None, typer.Option(help="Prune from teacher or pretrained weights [teacher].")
    ] = None,
    pruning_steps: Annotated[
        int | None, typer.Option(help="Times that the masks are drawn while training [1].")
    ] = None,
    criterion: Annotated[
        str | None,
        typer.Option(
            help="reconstruction, sparsegpt, fisher, movement, soft-movement or magnitude [reconstruction]."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Divide the sparsity over the matrices: uniform or by sensitivity [uniform]."),
    ] = None,
    latency_budget: Annotated[
        float | None,
        typer.Option(help="Milliseconds for 128 tokens on one thread here, in place of a sparsity."),
    ] = None,
    one_shot: Annotated[bool, typer.Option("--one-shot", help="Prune at once, without training.")] = False,
    recipe: options.Recipe = None,
    train_rows: options.TrainRows = None,
    augment: options.Augment = None,
    replaced_share: options.ReplacedShare = None,
    unlabelled: options.Unlabelled = None,
    epochs: options.Epochs = None,
    teacher_epochs: Annotated[
        float | None, typer.Option(help="Epochs of fine-tuning the teacher [chosen].")
    ] = None,
    learning_rate: options.LearningRate = None,
    batch_size: options.BatchSize = None,
    max_length: options.MaxLength = None,
    dropout: options.Dropout = None,
    seed: options.Seed = None,
    resume: options.Resume = False,
    as_json: options.Json = False,
) -> None:
    """Prune an encoder while distilling it from its fine-tuned self.

    Example: kaprune-edge prune bert-base-uncased --task glue/sst2 --sparsity 0.95 --pattern 4x1 -o run
    """
    from kaprune_edge.begun import begun_recipe
    from kaprune_edge.recipe import PruneRecipe, make_recipe
    from kaprune_edge.workflow import prune as run

    overrides = options.given(
        model=model,
        task=task,
        columns__text=text_column or None,
        columns__label=label_column,
        sparsity=sparsity,
        pattern=pattern,
        teacher=teacher,
        schedule__course=schedule,
        schedule__pruning_steps=pruning_steps,
        student_start=start,
        criterion=criterion,
        budget=budget,
        latency_budget=latency_budget,
        one_shot=one_shot or None,
        train_rows=train_rows,
        augment=augment,
        replaced_share=replaced_share,
        unlabelled=str(unlabelled) if unlabelled else None,
        training__epochs=epochs,
        teacher_training__epochs=teacher_epochs,
        training__learning_rate=learning_rate,
        training__batch_size=batch_size,
        teacher_training__batch_size=batch_size,
        training__max_length=max_length,
        teacher_training__max_length=max_length,
        training__dropout=dropout,
        seed=seed,
    )
    with resumable(output), progress() as watch:
        todo = make_recipe(PruneRecipe, recipe or (begun_recipe(output) if resume else None), overrides)
        result = run(todo, output, resume=resume, progress=watch)
    if as_json:
        print_json(dict(result.metrics))
        return
    metrics = result.metrics
    kept = metrics["encoder_weights"] / metrics["encoder_size"]
    say(f"{result.folder}: {kept:.1%} of the encoder's weights kept")
    say(f"  sparse   {scores(metrics['metrics'])}")
    say(f"  teacher  {scores(metrics['teacher_metrics'])}")
    if note := metrics.get("fine_tuning", {}).get("note"):
        say(f"  note: {note}")
    if "milliseconds" in metrics:
        say(f"  128 tokens in about {metrics['milliseconds']:.2g} ms on one thread here")
    export = quoted("kaprune-edge", "export", result.folder, "--target", "x86-64", "-o", "deployment")
    say(f"next: {export}")
