"""The public verbs: what each command does, told in calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedModel, set_seed

from kaprune_edge import sparse_training
from kaprune_edge.artifacts import check_new, check_resumable, check_temporary_folder, resumable_folder
from kaprune_edge.augmentation.rows import check_augmentable
from kaprune_edge.bench.accuracy import check_labels, check_place, score_deployment
from kaprune_edge.bench.benchmark import bench as compare
from kaprune_edge.bench.comparison import Comparison
from kaprune_edge.budget.plan import check_latency
from kaprune_edge.checkpoints import (
    check_length,
    check_same_shape,
    load_classifier,
    load_tokenizer,
    max_tokens,
)
from kaprune_edge.devices import LOCAL, open_device
from kaprune_edge.distillation.students import make_student, student_shape, uniform_layer_map
from kaprune_edge.distillation.teaching import distill as teach
from kaprune_edge.distillation.teaching import distillation_loss, label_loss, prune_while_training
from kaprune_edge.distillation.training import Loss
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.evaluation import score_model
from kaprune_edge.export import Deployment, check_calibration, export_model
from kaprune_edge.processes import is_main, join, on_main
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.pruning.calibration import calibration_batches
from kaprune_edge.pruning.criteria import CRITERIA
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.recipe import DistillRecipe, PruneRecipe
from kaprune_edge.sparsity.patterns import parse_pattern
from kaprune_edge.tasks import Task, load_task
from kaprune_edge.tasks.columns import USUAL, Columns
from kaprune_edge.tasks.tables import read_unlabelled
from kaprune_edge.training_run import TrainingRun
from kaprune_runtime.deployment import MODEL, read_config
from kaprune_runtime.errors import InputError


@dataclass(frozen=True)
class Run:
    """A finished training."""

    folder: Path
    metrics: Mapping[str, Any]
    """What metrics.json holds."""


def prune(
    recipe: PruneRecipe, output: str | Path, *, resume: bool = False, progress: Progress | None = None
) -> Run:
    """Prune a pretrained encoder while distilling it from a fine-tuned teacher.

    Args:
        recipe: What to do. Without a teacher in it, one is fine-tuned first and kept in `output/teacher`.
        output: Run folder to make: a Hugging Face checkpoint, recipe.yaml, metrics.json.
        resume: Continue an interrupted run of the same recipe, to the same weights.
        progress: Told of every step.

    Raises:
        InputError: Something in the recipe, the model, the task or the output is wrong.
        KapruneError: Training diverged, the disk is full, or the native library does not run.
    """
    output = Path(output)
    join()
    on_main(check_resumable)(output, recipe.model, recipe.teacher, resume=resume)
    sparse_training.available()  # raises now what it would when matrices have become sparse
    task, unlabelled = _texts(recipe)
    set_seed(recipe.seed)
    student = load_classifier(recipe.model, task, fine_tuned=False, dropout=recipe.training.dropout)
    tokenizer = load_tokenizer(recipe.model)
    check_length(student.config, recipe.training.max_length)
    pattern = parse_pattern(recipe.pattern)
    pruner = Pruner(encoder_matrices(student), pattern)
    teacher = load_classifier(recipe.teacher, task, fine_tuned=True) if recipe.teacher else None
    if teacher is not None:
        check_same_shape(student, teacher)
    if recipe.latency_budget is not None and not resume:
        on_main(check_latency)(student, pattern, recipe.latency_budget)
    with resumable_folder(output, resume=resume) as folder:
        run = TrainingRun(recipe, task, tokenizer, folder, _told(progress), unlabelled)
        if finished := run.finished():
            return Run(output, finished)
        teacher = teacher or run.fine_tuned_teacher(recipe.model, recipe.teacher_training)
        if recipe.student_start == "teacher":
            student.load_state_dict(teacher.state_dict())
        lessons = run.lessons(student, recipe.training, "student", run.student_rows(recipe.model))
        text = calibration_batches(lessons.rows, tokenizer, recipe.seed)
        criterion = CRITERIA[recipe.criterion]
        plan = run.plan(teacher, text)
        if recipe.one_shot:
            run.progress.start("prune", teacher.config.num_hidden_layers)
            pruner.prune(plan.sparsity, criterion(student, teacher, text, run.progress.advance))
            steps = 0
        else:
            steps = prune_while_training(
                student,
                _loss(recipe, student, teacher),
                pruner,
                criterion(student, teacher, text),
                recipe.schedule,
                plan.sparsity,
                lessons,
            )
        method: dict[str, object] = {
            "method": "one-shot" if recipe.one_shot else "prune",
            "criterion": recipe.criterion,
            "pattern": recipe.pattern,
            "sparsity": round(pruner.sparsity, 4),
            "sparsities": {name: round(share, 4) for name, share in pruner.sparsities.items()},
        }
        if plan.milliseconds is not None:
            method["milliseconds"] = round(plan.milliseconds, 3)
        return Run(output, run.finish(student, teacher, method, steps))


def _texts(recipe: PruneRecipe | DistillRecipe) -> tuple[Task, Dataset | None]:
    """Read the task, and the texts that the student learns from beside it."""
    task = load_task(recipe.task, columns=recipe.columns, train_rows=recipe.train_rows)
    if recipe.augment:
        check_augmentable(task)
    return task, read_unlabelled(Path(recipe.unlabelled), task) if recipe.unlabelled else None


def _told(progress: Progress | None) -> Progress:
    """Who is told of a training, by the main process alone."""
    return progress if progress and is_main() else Silent()


def _loss(recipe: PruneRecipe, student: PreTrainedModel, teacher: PreTrainedModel) -> Loss:
    if recipe.learns_from == "labels":
        return label_loss
    layer_map = range(1, teacher.config.num_hidden_layers + 1)
    return distillation_loss(student, teacher, layer_map, recipe.losses, recipe.training.precision)


def distill(
    recipe: DistillRecipe, output: str | Path, *, resume: bool = False, progress: Progress | None = None
) -> Run:
    """Distil a small dense student, TinyBERT's way: the baseline of every sparse model.

    Args:
        recipe: What to do.
        output: Run folder to make: a Hugging Face checkpoint, recipe.yaml, metrics.json.
        resume: Continue an interrupted run of the same recipe, to the same weights.
        progress: Told of every step.

    Raises:
        InputError: Something in the recipe, the teacher, the task or the output is wrong.
        KapruneError: Training diverged, or the disk is full.
    """
    output = Path(output)
    join()
    on_main(check_resumable)(output, recipe.teacher, resume=resume)
    task, unlabelled = _texts(recipe)
    set_seed(recipe.seed)
    teacher = load_classifier(recipe.teacher, task, fine_tuned=True)
    tokenizer = load_tokenizer(recipe.teacher)
    check_length(teacher.config, recipe.training.max_length)
    shape = student_shape(recipe.student, teacher)
    student = make_student(teacher, shape, dropout=recipe.training.dropout)
    layer_map = uniform_layer_map(shape.layers, teacher.config.num_hidden_layers)
    with resumable_folder(output, resume=resume) as folder:
        run = TrainingRun(recipe, task, tokenizer, folder, _told(progress), unlabelled)
        if finished := run.finished():
            return Run(output, finished)
        lessons = run.lessons(student, recipe.training, "student", run.student_rows(recipe.teacher))
        steps = teach(student, teacher, layer_map, recipe.losses, lessons)
        return Run(output, run.finish(student, teacher, {"method": "distill", "student": str(shape)}, steps))


def evaluate(
    source: str | Path,
    task_spec: str,
    *,
    columns: Columns = USUAL,
    max_length: int = 128,
    threads: int = 1,
    device: str = LOCAL,
    device_python: str = "python3",
    device_onnxruntime: str | Path | None = None,
    device_library: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Score a deployment on ONNX Runtime, or a run or checkpoint on PyTorch.

    Args:
        source: Deployment, run or checkpoint folder, or hub id.
        task_spec: The task to score on; see `load_task`.
        columns: Of the task's files, where their names are not the usual ones.
        max_length: Longest text in tokens; fewer where the model has fewer positions.
        threads: Threads of ONNX Runtime.
        device: Where a deployment runs; see `open_device`.
        device_python: Command or path of the Python there.
        device_onnxruntime: ONNX Runtime's shared library for a device without Python.
        device_library: Operator library for the device, or a wheel that holds it.
        progress: Told of the rows done.

    Returns:
        `engine` (onnxruntime or pytorch), `task`, `rows` and `metrics`, the headline metric first.

    Raises:
        InputError: The source, the task or the device is wrong, or they do not fit.
        KapruneError: The device is out of reach, or lacks something.
    """
    check_temporary_folder()
    watch, source = progress or Silent(), str(source)
    task = load_task(task_spec, columns=columns)
    deployed = (Path(source) / MODEL).is_file()
    if deployed:
        check_labels(Path(source), read_config(Path(source)), task)
        with open_device(
            device, python=device_python, onnxruntime=device_onnxruntime, library=device_library
        ) as place:
            check_place(task, place)
            place.prepare([Path(source)], watch)
            watch.start("evaluate", len(task.evaluation))
            metrics = score_deployment(
                Path(source), task, progress=watch, max_length=max_length, threads=threads, device=place
            )
    elif device != LOCAL:
        raise InputError(f"{source} is no deployment, and PyTorch runs here alone; export it first")
    else:
        watch.start("evaluate", len(task.evaluation))
        model = load_classifier(source, task, fine_tuned=True)
        longest = min(max_length, max_tokens(model.config))
        check_length(model.config, longest)
        metrics = score_model(model, load_tokenizer(source), task, longest, watch)
    return {
        "engine": "onnxruntime" if deployed else "pytorch",
        "task": task.name,
        "rows": len(task.evaluation),
        "metrics": metrics,
    }


def export(
    source: str | Path,
    output: str | Path,
    *,
    target: str = "x86-64",
    quantize: str | None = None,
    embeddings: str | None = None,
    calibrate: str | None = None,
    columns: Columns = USUAL,
    trim: str | Path | None = None,
    library: str | Path | None = None,
    progress: Progress | None = None,
) -> Deployment:
    """Export a run, a checkpoint or an ONNX file as a deployment; see `export_model`.

    `calibrate` names a task, `columns` those of its files where their names are not the usual ones.
    """
    output = Path(output)
    check_new(output, source)
    check_temporary_folder()
    if calibrate is not None:
        check_calibration(quantize)
    return export_model(
        source,
        output,
        target=target,
        quantize=quantize,
        embeddings=embeddings,
        calibrate=_optional_task(calibrate, columns),
        trim=trim,
        library=library,
        progress=progress,
    )


def bench(
    deployments: Sequence[str | Path],
    *,
    baselines: Sequence[str] = (),
    task_spec: str | None = None,
    columns: Columns = USUAL,
    sequence_length: int = 128,
    batch_size: int = 1,
    threads: int = 1,
    rounds: int = 20,
    providers: Sequence[str] = (),
    device: str = LOCAL,
    device_python: str = "python3",
    device_onnxruntime: str | Path | None = None,
    device_library: str | Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare deployments with baselines; see `kaprune_edge.bench.benchmark.bench`.

    `task_spec` names a task, `columns` those of its files where their names are not the usual ones.
    """
    check_temporary_folder()
    return compare(
        deployments,
        baselines=baselines,
        task=_optional_task(task_spec, columns),
        sequence_length=sequence_length,
        batch_size=batch_size,
        threads=threads,
        rounds=rounds,
        providers=providers,
        device=device,
        device_python=device_python,
        device_onnxruntime=device_onnxruntime,
        device_library=device_library,
        progress=progress,
    )


def _optional_task(spec: str | None, columns: Columns) -> Task | None:
    if spec is None and columns != USUAL:
        raise InputError(
            "--text-column and --label-column would change nothing without a task; name it or leave them out"
        )
    return None if spec is None else load_task(spec, columns=columns)
