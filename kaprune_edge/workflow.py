"""The public verbs: what each command does, told in calls."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from kaprune_edge.artifacts import check_resumable, resumable_folder, write_json
from kaprune_edge.distillation.students import make_student, student_shape, uniform_layer_map
from kaprune_edge.distillation.teaching import distill as teach
from kaprune_edge.distillation.teaching import fine_tune, prune_while_distilling
from kaprune_edge.distillation.training import Lessons
from kaprune_edge.encoder import encoder_matrices, encoder_weights
from kaprune_edge.evaluation import predict_logits
from kaprune_edge.models import load_classifier, load_tokenizer
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.recipe import DistillRecipe, PruneRecipe, Training, save_recipe
from kaprune_edge.sparsity.patterns import parse_pattern
from kaprune_edge.tasks import Task, load_task, tokenize


@dataclass(frozen=True)
class Run:
    """A finished training."""

    folder: Path
    metrics: Mapping[str, object]
    """What metrics.json holds."""


def prune(
    recipe: PruneRecipe, output: Path, *, resume: bool = False, progress: Progress | None = None
) -> Run:
    """Prune a pretrained encoder while distilling it from a fine-tuned teacher.

    Args:
        recipe: What to do. Without a teacher in it, one is fine-tuned first and kept in `output/teacher`.
        output: Run folder to make: a Hugging Face checkpoint, recipe.yaml, metrics.json.
        resume: Continue an interrupted run of the same recipe, to the same weights.
        progress: Told of every step.

    Raises:
        InputError: Something in the recipe, the model, the task or the output is wrong.
        KapruneError: Training diverged, or the disk is full.
    """
    watch = progress or Silent()
    check_resumable(output, resume=resume)
    pattern = parse_pattern(recipe.pattern)
    task = load_task(recipe.task, train_rows=recipe.train_rows)
    set_seed(recipe.seed)
    tokenizer = load_tokenizer(recipe.model)
    student = load_classifier(recipe.model, task, fine_tuned=False, dropout=recipe.training.dropout)
    pruner = Pruner(encoder_matrices(student), pattern)
    teacher = load_classifier(recipe.teacher, task, fine_tuned=True) if recipe.teacher else None
    with resumable_folder(output, resume=resume) as folder:
        school = _School(task, tokenizer, recipe.seed, folder, watch)
        teacher = teacher or school.fine_tuned_teacher(recipe.model, recipe.teacher_training)
        if recipe.student_start == "teacher":
            student.load_state_dict(teacher.state_dict())
        started = time.monotonic()
        steps = prune_while_distilling(
            student,
            teacher,
            recipe.losses,
            pruner,
            recipe.schedule,
            recipe.sparsity,
            school.lessons(student, recipe.training, "student"),
        )
        seconds = time.monotonic() - started
        metrics = {
            "method": "prune",
            "sparsity": pruner.sparsity,
            "pattern": recipe.pattern,
            **school.report(student, teacher, recipe.training, steps, seconds),
        }
        school.graduate(student, recipe, metrics)
    return Run(output, metrics)


def distill(
    recipe: DistillRecipe, output: Path, *, resume: bool = False, progress: Progress | None = None
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
    watch = progress or Silent()
    check_resumable(output, resume=resume)
    task = load_task(recipe.task, train_rows=recipe.train_rows)
    set_seed(recipe.seed)
    tokenizer = load_tokenizer(recipe.teacher)
    teacher = load_classifier(recipe.teacher, task, fine_tuned=True)
    shape = student_shape(recipe.student, teacher)
    student = make_student(teacher, shape, dropout=recipe.training.dropout)
    layer_map = uniform_layer_map(shape.layers, teacher.config.num_hidden_layers)
    with resumable_folder(output, resume=resume) as folder:
        school = _School(task, tokenizer, recipe.seed, folder, watch)
        started = time.monotonic()
        lessons = school.lessons(student, recipe.training, "student")
        steps = teach(student, teacher, layer_map, recipe.losses, lessons)
        seconds = time.monotonic() - started
        metrics = {
            "method": "distill",
            "student": str(shape),
            **school.report(student, teacher, recipe.training, steps, seconds),
        }
        school.graduate(student, recipe, metrics)
    return Run(output, metrics)


@dataclass
class _School:
    """What one run's trainings share."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    seed: int
    folder: Path
    progress: Progress

    def lessons(self, model: PreTrainedModel, training: Training, name: str) -> Lessons:
        return Lessons(
            rows=tokenize(self.task.train, self.task, self.tokenizer, training.max_length),
            tokenizer=self.tokenizer,
            training=training,
            seed=self.seed,
            checkpoints=self.folder / "checkpoints" / name,
            progress=self.progress,
            on_epoch=lambda: self.score(model, training),
        )

    def score(self, model: PreTrainedModel, training: Training) -> dict[str, float]:
        rows = tokenize(self.task.evaluation, self.task, self.tokenizer, training.max_length)
        return self.task.score(predict_logits(model, rows, self.tokenizer), rows["labels"])

    def fine_tuned_teacher(self, source: str, training: Training) -> PreTrainedModel:
        kept = self.folder / "teacher"
        if not kept.exists():
            teacher = load_classifier(source, self.task, fine_tuned=False, dropout=training.dropout)
            fine_tune(teacher, self.lessons(teacher, training, "teacher"))
            staging = kept.with_name(".teacher.partial")
            teacher.save_pretrained(staging)
            self.tokenizer.save_pretrained(staging)
            staging.rename(kept)
        return load_classifier(str(kept), self.task, fine_tuned=True)

    def report(
        self,
        student: PreTrainedModel,
        teacher: PreTrainedModel,
        training: Training,
        steps: int,
        seconds: float,
    ) -> dict[str, object]:
        return {
            "task": self.task.name,
            "train_rows": len(self.task.train),
            "metrics": self.score(student, training),
            "teacher_metrics": self.score(teacher, training),
            "encoder_weights": encoder_weights(student),
            "teacher_encoder_weights": encoder_weights(teacher),
            "max_length": training.max_length,
            "steps": steps,
            "seconds": round(seconds, 1),
        }

    def graduate(
        self, student: PreTrainedModel, recipe: PruneRecipe | DistillRecipe, metrics: Mapping[str, object]
    ) -> None:
        """Turn the working folder into a run folder."""
        student.save_pretrained(self.folder)
        self.tokenizer.save_pretrained(self.folder)
        save_recipe(recipe, self.folder / "recipe.yaml")
        write_json(self.folder / "metrics.json", metrics)
        shutil.rmtree(self.folder / "checkpoints")
