"""One step of the search: prune, repair, train, export, judge, time."""

import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.artifacts import new_folder, write_json
from kaprune_edge.budget.plan import Planner
from kaprune_edge.checkpoints import load_classifier, save_tokenizer
from kaprune_edge.compress.clock import Clock
from kaprune_edge.compress.judge import Answers, Judge
from kaprune_edge.compress.ladder import Attempt, Outcome
from kaprune_edge.compress.recipe import CompressRecipe
from kaprune_edge.compress.timing import deployment_milliseconds
from kaprune_edge.distillation.step_time import step_seconds
from kaprune_edge.distillation.teaching import distillation_loss, prune_while_training
from kaprune_edge.distillation.training import Lessons, Loss
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.export import export_model
from kaprune_edge.progress import Progress
from kaprune_edge.pruning.calibration import calibration_batches
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.pruning.reconstruction import Reconstruction
from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.recipe import LossWeights, Training
from kaprune_edge.sparsity.patterns import Blocks, parse_pattern
from kaprune_edge.tasks import Task, tokenize
from kaprune_runtime.deployment import MODEL, read_json

DENSE = Attempt(0, 0.0, None, 0.0)
"""The teacher itself."""
LOGITS_ONLY = 0.3
"""Last share of a training that learns from the logits alone."""


@dataclass
class Workshop:
    """All that attempts share; folders below `work` hold what they made."""

    recipe: CompressRecipe
    task: Task
    """With the held-out rows for evaluation."""
    tokenizer: PreTrainedTokenizerBase
    teacher: PreTrainedModel
    rows: Dataset
    """Tokenized, what students learn from."""
    step_seconds: float
    """How long a training step takes."""
    judge: Judge
    teacher_answers: Answers
    work: Path
    name: str
    """Of deployment folders, which their model cards have for a title."""
    clock: Clock
    progress: Progress

    def __post_init__(self) -> None:
        """Choose calibration text."""
        self._text = calibration_batches(self.rows, self.tokenizer, self.recipe.seed)
        self._sensitivities: Planner | None = None

    def run(self, attempt: Attempt, reserve: float) -> Outcome:
        """Make an attempt, or go on with one that was interrupted.

        Args:
            attempt: What to try.
            reserve: Seconds that export and judging need; the training ends when no more are left.
        """
        start, folder = time.monotonic(), self._folder(attempt)
        folder.mkdir(parents=True, exist_ok=True)
        training = self._train(attempt, folder, reserve)
        self._export(self.student(attempt), self.deployment(attempt))
        return self._outcome(attempt, training, start)

    def run_dense(self) -> Outcome:
        """Export the teacher itself."""
        start = time.monotonic()
        self._export(self.student(DENSE), self.deployment(DENSE))
        return self._outcome(DENSE, {"steps": 0, "seconds": 0.0}, start)

    def deployment(self, attempt: Attempt) -> Path:
        """Give the deployment folder of an attempt."""
        return self._folder(attempt) / self.name

    def student(self, attempt: Attempt) -> Path:
        """Give the checkpoint folder of an attempt."""
        return self._folder(attempt) / "student" if attempt.number else self.work / "teacher"

    def _folder(self, attempt: Attempt) -> Path:
        return self._steps_folder / attempt.name

    @property
    def _steps_folder(self) -> Path:
        return self.work / "steps"

    def _export(self, source: Path, output: Path) -> None:
        """Write an int8 deployment, unless an interrupted attempt did."""
        if not output.exists():
            export_model(
                source,
                output,
                target=self.recipe.target,
                quantize="int8",
                embeddings="int8",
                progress=self.progress,
            )

    def _train(self, attempt: Attempt, folder: Path, reserve: float) -> Mapping[str, Any]:
        """Make `folder/student`; returns the steps and seconds of its training."""
        done = folder / "training.json"
        if done.exists():
            return read_json(done)
        student = self._student(attempt, folder)
        pruner = Pruner(encoder_matrices(student), parse_pattern(self.recipe.pattern))
        kept = {name: float((weight != 0).float().mean()) for name, weight in pruner.matrices.items()}
        steps, start = self._steps(attempt, student, folder), time.monotonic()
        if steps:
            steps = prune_while_training(
                student,
                self._loss(student),
                pruner,
                Magnitude(),
                Schedule(pruning_steps=1),
                {name: 1 - share for name, share in kept.items()},
                self._lessons(attempt, steps, folder, reserve),
            )
        self._save(student, self.student(attempt))
        training = {"steps": steps, "seconds": round(time.monotonic() - start, 1)}
        write_json(done, training)
        return training

    def _student(self, attempt: Attempt, folder: Path) -> PreTrainedModel:
        """Load the student to train: one at this sparsity already, or the start pruned and repaired."""
        repaired = folder / "repaired"
        if not repaired.exists():
            start = self._start(attempt)
            model = load_classifier(str(start), self.task, fine_tuned=True, dropout=0)
            if _sparsity(model) < attempt.sparsity - 1e-3:
                self._prune(model, attempt.sparsity)
            self._save(model, repaired)
        return load_classifier(str(repaired), self.task, fine_tuned=True, dropout=0)

    def _start(self, attempt: Attempt) -> Path:
        return (
            self.work / "teacher" if attempt.start is None else self._steps_folder / attempt.start / "student"
        )

    def _prune(self, student: PreTrainedModel, sparsity: float) -> None:
        """Remove weights and move the others so that each layer computes what the teacher's does."""
        pattern = parse_pattern(self.recipe.pattern)
        assert isinstance(pattern, Blocks)
        self._sensitivities = self._sensitivities or Planner(self.teacher, self._text, pattern, self.progress)
        plan = self._sensitivities.for_weights(sparsity)
        self.progress.start(f"prune to {sparsity:.1%}", student.config.num_hidden_layers)
        criterion = Reconstruction(student, self.teacher, self._text, self.progress.advance)
        Pruner(encoder_matrices(student), pattern).prune(plan.sparsity, criterion)

    def _steps(self, attempt: Attempt, student: PreTrainedModel, folder: Path) -> int:
        """Choose how long to train: not at all where the repaired student keeps the promise as it is."""
        plan = folder / "plan.json"
        if not plan.exists():
            steps = max(1, round(attempt.seconds / self.step_seconds))
            if self._is_good(student):
                steps = 0
            write_json(plan, {"steps": steps})
        return int(read_json(plan)["steps"])

    def _is_good(self, student: PreTrainedModel) -> bool:
        self.progress.start("judge", len(self.task.evaluation))
        answers = self.judge.ask_model(student, self.progress)
        points = self.judge.points(self.teacher_answers, answers)
        self.progress.advance(len(self.task.evaluation), drop=points)
        return points <= self.recipe.max_drop

    def _loss(self, student: PreTrainedModel) -> Loss:
        """Make the loss of one training. It hooks into both models for good, hence the copy."""
        return _loss(student, deepcopy(self.teacher))

    def _lessons(self, attempt: Attempt, steps: int, folder: Path, reserve: float) -> Lessons:
        training = Training(
            epochs=steps / -(-len(self.rows) // self.recipe.batch_size),
            learning_rate=self.recipe.learning_rate,
            batch_size=self.recipe.batch_size,
            max_length=self.recipe.max_length,
        )
        return Lessons(
            rows=self.rows,
            tokenizer=self.tokenizer,
            training=training,
            seed=self.recipe.seed + attempt.number,
            checkpoints=folder / "checkpoints",
            progress=self.progress,
            on_epoch=dict,
            on_save=self.clock.save,
            is_over=lambda: self.clock.left < reserve,
        )

    def _save(self, model: PreTrainedModel, output: Path) -> None:
        with new_folder(output) as staging:
            model.save_pretrained(staging)
            save_tokenizer(self.tokenizer, staging)

    def _outcome(self, attempt: Attempt, training: Mapping[str, Any], start: float) -> Outcome:
        deployment = self.deployment(attempt)
        self.progress.start("judge", len(self.task.evaluation))
        answers = self.judge.ask_deployment(deployment, self.progress)
        drop = self.judge.drop(self.teacher_answers, answers)
        return Outcome(
            attempt=attempt,
            drop=drop,
            kept=drop.points <= self.recipe.max_drop,
            steps=training["steps"],
            milliseconds=deployment_milliseconds(deployment),
            file_bytes=(deployment / MODEL).stat().st_size,
            seconds=round(time.monotonic() - start, 1),
            training_seconds=training["seconds"],
        )


def _sparsity(model: PreTrainedModel) -> float:
    """Give the share of zeros in the matrices that can be pruned."""
    matrices = encoder_matrices(model).values()
    zeros = sum(weight.numel() - int(torch.count_nonzero(weight)) for weight in matrices)
    return zeros / sum(weight.numel() for weight in matrices)


def student_step_seconds(
    recipe: CompressRecipe, teacher: PreTrainedModel, task: Task, tokenizer: PreTrainedTokenizerBase
) -> float:
    """Measure a training step of a student."""
    rows = tokenize(task.train, task, tokenizer, recipe.max_length)
    student = deepcopy(teacher)
    loss = _loss(student, deepcopy(teacher))
    return step_seconds(student, loss, rows, tokenizer, recipe.batch_size, recipe.seed)


def _loss(student: PreTrainedModel, teacher: PreTrainedModel) -> Loss:
    layers = range(1, teacher.config.num_hidden_layers + 1)
    return distillation_loss(student, teacher, layers, LossWeights(logits_only=LOGITS_ONLY))
