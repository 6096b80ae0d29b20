"""The verb: from a model, a task and a promise to the fastest deployment that keeps it."""

import shutil
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from kaprune_edge import sparse_training
from kaprune_edge.begun import RECIPE, keep_recipe
from kaprune_edge.checkpoints import check_length, load_config, load_tokenizer
from kaprune_edge.compress.attempt import DENSE, Workshop, student_step_seconds
from kaprune_edge.compress.clock import Clock, shown_seconds
from kaprune_edge.compress.delivery import check_places, deliver
from kaprune_edge.compress.judge import Judge
from kaprune_edge.compress.ladder import best, next_attempt
from kaprune_edge.compress.recipe import CompressRecipe
from kaprune_edge.compress.record import Record
from kaprune_edge.compress.result import Compression
from kaprune_edge.compress.teacher import find_teacher, teacher_note
from kaprune_edge.compress.teacher_labels import is_unlabelled, label_by, load_unlabelled
from kaprune_edge.compress.texts import student_texts
from kaprune_edge.compress.timing import speedup_over
from kaprune_edge.export.targets import find_target
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.tasks import Task, load_task, tokenize
from kaprune_edge.tasks.digest import check_same_rows
from kaprune_edge.tasks.held_out import hold_out
from kaprune_edge.tasks.tables import read_unlabelled
from kaprune_runtime.errors import InputError

HELD_OUT_SHARE, MOST_HELD_OUT = 0.2, 2000
FEWEST_ROWS = 40


def compress(
    recipe: CompressRecipe,
    output: Path | str,
    *,
    time_limit: float = 3600,
    work: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Compression:
    """Find the fastest deployment whose headline metric is at most `max_drop` points below the teacher's.

    The drop is measured on rows that are held out of the training rows; evaluation rows are not read. The
    teacher in int8 is there first. Each step that keeps the promise takes its place. The time limit or an
    interrupt (KeyboardInterrupt) ends the search with the best so far.

    A fine-tuned model can be compressed without labels (`texts:FILE`). The metric is then the agreement with
    the teacher: the drop is the share of held-out texts that get another answer.

    Args:
        recipe: The promise.
        output: Deployment folder to make.
        time_limit: Seconds for everything; a later call with `resume` may give more.
        work: Folder that keeps the teacher and every step; beside the output, OUTPUT-work, where None.
        resume: Go on with a search that was interrupted or ran out of time; `output` may then be what that
            search delivered.
        progress: Told of every stage.

    Raises:
        InputError: Something in the recipe, the model, the task or the output is wrong.
        KapruneError: Training diverged, the disk is full, or the native library does not run.
    """
    output = Path(output)
    work = output.with_name(f"{output.name}-work") if work is None else Path(work)
    if time_limit <= 0:
        raise InputError(f"a time limit of {time_limit:g} seconds is impossible; give more")
    find_target(recipe.target)  # raises now what the first export would
    check_places(output, work, resume=resume)
    sparse_training.available()  # raises now what it would when matrices have become sparse
    task = _searched(_load(recipe), recipe.seed)
    tokenizer = load_tokenizer(recipe.model)
    check_length(load_config(recipe.model), recipe.max_length)
    more = read_unlabelled(Path(recipe.unlabelled), task) if recipe.unlabelled else None
    set_seed(recipe.seed)
    work.mkdir(parents=True, exist_ok=True)
    keep_recipe(recipe, work / RECIPE)
    check_same_rows(work, task, more)
    clock, watch = Clock(work / "clock.json", time_limit), progress or Silent()
    try:
        teacher = find_teacher(recipe, task, tokenizer, work, clock, watch)
    except InputError:
        if not resume and not (work / "checkpoints").exists():  # the model does not fit the task
            shutil.rmtree(work)
        raise
    shop = _open(recipe, task, more, tokenizer, teacher, work, output.name, clock, watch)
    record = Record(work / "ladder.json", clock)
    if record.dense is None:
        record.keep_dense(shop.run_dense())
    interrupted = _climb(shop, record)
    assert record.dense is not None
    delivered = best(record.outcomes) or record.dense
    deliver(shop.deployment(delivered.attempt), output, work)
    clock.save()
    return Compression(
        folder=output,
        work=work,
        headline=task.metrics[0],
        max_drop=recipe.max_drop,
        teacher=shop.judge.score(shop.teacher_answers),
        note=teacher_note(work),
        held_out_rows=len(task.evaluation),
        dense=record.dense,
        outcomes=tuple(record.outcomes),
        delivered=delivered,
        speedup=speedup_over(shop.deployment(DENSE), output) if delivered.attempt.number else 1.0,
        student=shop.student(delivered.attempt),
        seconds=round(clock.seconds, 1),
        interrupted=interrupted,
    )


def _load(recipe: CompressRecipe) -> Task:
    if is_unlabelled(recipe):
        return load_unlabelled(recipe)
    return load_task(recipe.task, columns=recipe.columns, train_rows=recipe.train_rows)


def _searched(task: Task, seed: int) -> Task:
    """Hold rows out of the training rows, to judge every step on."""
    if len(task.train) < FEWEST_ROWS:
        raise InputError(
            f"{task.name} has {len(task.train)} training rows; compress needs at least {FEWEST_ROWS}, "
            "of which it holds a fifth out"
        )
    return hold_out(task, seed, share=HELD_OUT_SHARE, most=MOST_HELD_OUT)


def _open(
    recipe: CompressRecipe,
    task: Task,
    more: Dataset | None,
    tokenizer: PreTrainedTokenizerBase,
    teacher: PreTrainedModel,
    work: Path,
    name: str,
    clock: Clock,
    progress: Progress,
) -> Workshop:
    """Gather what students learn from, and what they are judged by."""
    step = student_step_seconds(recipe, teacher, task, tokenizer)
    usable = round(max(clock.left, 0) / step) * recipe.batch_size
    texts = student_texts(recipe, task, more, work, usable, progress)
    rows = tokenize(texts, task, tokenizer, recipe.max_length)
    judge = Judge(task, tokenizer, recipe.max_length)
    progress.start("answers of the teacher", len(task.evaluation))
    answers = judge.ask_model(teacher, progress)
    if is_unlabelled(recipe):
        judge = Judge(label_by(answers, task), tokenizer, recipe.max_length)
    return Workshop(recipe, task, tokenizer, teacher, rows, step, judge, answers, work, name, clock, progress)


def _climb(shop: Workshop, record: Record) -> bool:
    """Search until nothing is left to try or the time is gone; True where somebody interrupted."""
    dense = record.dense
    assert dense is not None
    tell = shop.progress.tell
    try:
        while attempt := next_attempt(
            record.outcomes, max_drop=shop.recipe.max_drop, left=shop.clock.left - record.overhead
        ):
            tell(
                f"step {attempt.number}: {attempt.sparsity:.1%} sparse, training for at most "
                f"{shown_seconds(attempt.seconds)}; {shown_seconds(shop.clock.left)} left"
            )
            outcome = shop.run(attempt, record.overhead)
            record.keep(outcome)
            tell(
                f"step {attempt.number}: {outcome.milliseconds:.1f} ms, "
                f"{dense.milliseconds / outcome.milliseconds:.1f} times as fast as dense int8; "
                f"drop {outcome.drop.points:.1f}, promise {'kept' if outcome.kept else 'missed'}"
            )
    except KeyboardInterrupt:
        return True
    return False
