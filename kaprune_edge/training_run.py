"""What pruning and distilling share around their training: data, teacher, scores, and the run folder."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.artifacts import interrupted, write_json
from kaprune_edge.augmentation.augmenter import load_augmenter
from kaprune_edge.augmentation.recipe import AugmentRecipe
from kaprune_edge.augmentation.rows import read_augmented, write_augmented
from kaprune_edge.begun import RECIPE, keep_recipe
from kaprune_edge.budget.plan import Plan, Planner
from kaprune_edge.checkpoints import load_classifier, save_tokenizer
from kaprune_edge.distillation.teaching import fine_tune
from kaprune_edge.distillation.training import Lessons
from kaprune_edge.encoder import encoder_matrices, encoder_size, encoder_weights
from kaprune_edge.evaluation import score_model
from kaprune_edge.fine_tuning.from_probe import ProbedFineTuning
from kaprune_edge.processes import on_main
from kaprune_edge.progress import Progress
from kaprune_edge.recipe import DistillRecipe, FineTuning, PruneRecipe, Training
from kaprune_edge.sparsity.patterns import Blocks, parse_pattern
from kaprune_edge.storage import SEAL, discard, is_sealed, is_whole, seal, whole
from kaprune_edge.tasks import Task, tokenize
from kaprune_edge.tasks.digest import ROWS, check_same_rows
from kaprune_edge.tasks.held_out import hold_out
from kaprune_runtime.kinds import TEXT

TEACHER = "teacher"
FIGURES = "fine_tuning.json"
_CLOCK = "clock.json"
_CHECKPOINTS = "checkpoints"
_METRICS = "metrics.json"
_SCRATCH = frozenset({_CLOCK, _CHECKPOINTS, ROWS})
"""What a finished run does not keep, beside hidden entries and seals."""

_log = logging.getLogger(__name__)


@dataclass
class TrainingRun:
    """One run in the making, in a folder that an interruption leaves in place."""

    recipe: PruneRecipe | DistillRecipe
    task: Task
    tokenizer: PreTrainedTokenizerBase
    folder: Path
    progress: Progress
    unlabelled: Dataset | None
    """More texts for the student, under a label that nobody reads."""
    _started: float = field(init=False)
    """When it would have, had it never been interrupted."""

    @on_main
    def __post_init__(self) -> None:
        """Keep recipe and digest in the folder; raise InputError if something else was begun there."""
        self._started = time.monotonic() - self._earlier_seconds()
        keep_recipe(self.recipe, self.folder / RECIPE)
        check_same_rows(self.folder, self.task, self.unlabelled)

    @on_main
    def finished(self) -> dict[str, Any] | None:
        """Give the metrics of a run that was finished before; None if it was not."""
        if not is_whole(self.folder, _SCRATCH):
            if is_sealed(self.folder):
                _log.warning("the finished run in %s is damaged; it is made again", self.folder)
                (self.folder / SEAL).unlink()
            return None
        self._clear()
        metrics: dict[str, Any] = json.loads((self.folder / _METRICS).read_text(encoding="utf-8"))
        return metrics

    def lessons(
        self, model: PreTrainedModel, training: Training, name: str, rows: Dataset | None = None
    ) -> Lessons:
        """Prepare the training of a model on `rows`, or the task's; `name` tells its checkpoints apart."""
        return Lessons(
            rows=tokenize(rows or self.task.train, self.task, self.tokenizer, training.max_length),
            tokenizer=self.tokenizer,
            training=training,
            seed=self.recipe.seed,
            checkpoints=self.folder / _CHECKPOINTS / name,
            progress=self.progress,
            on_epoch=lambda: on_main(self._score)(model),
            on_save=self._keep_time,
        )

    def fine_tuned_teacher(self, source: str, training: FineTuning) -> PreTrainedModel:
        """Fine-tune a pretrained checkpoint, or load the teacher that this run finished before."""
        kept = self.folder / TEACHER
        if not on_main(_is_usable)(kept):
            figures: Mapping[str, Any] = {}
            if training.is_chosen and self.task.kind == TEXT:
                teacher, figures = self._fine_tuning(source, training).run()
            else:
                teacher = load_classifier(source, self.task, fine_tuned=False, dropout=training.dropout)
                fine_tune(teacher, self.lessons(teacher, training.resolved, "teacher"))
            self._keep_teacher(teacher, figures, kept)
        return load_classifier(str(kept), self.task, fine_tuned=True)

    def _fine_tuning(self, source: str, training: FineTuning) -> ProbedFineTuning:
        return ProbedFineTuning(
            source=source,
            task=hold_out(self.task, self.recipe.seed),
            tokenizer=self.tokenizer,
            training=training,
            seed=self.recipe.seed,
            folder=self.folder / "checkpoints" / "teacher",
            progress=self.progress,
            on_save=self._keep_time,
        )

    @on_main
    def _keep_teacher(self, teacher: PreTrainedModel, figures: Mapping[str, Any], kept: Path) -> None:
        with whole(kept) as fresh:
            teacher.save_pretrained(fresh)
            save_tokenizer(self.tokenizer, fresh)
            if figures:
                write_json(fresh / FIGURES, figures)
            seal(fresh)

    def _teacher_figures(self) -> dict[str, Any]:
        """The held-out scores of a teacher that was made here."""
        file = self.folder / TEACHER / FIGURES
        return {"fine_tuning": json.loads(file.read_text(encoding="utf-8"))} if file.exists() else {}

    @on_main
    def plan(self, model: PreTrainedModel, text: Sequence[Mapping[str, Tensor]]) -> Plan:
        """Divide the sparsity over the matrices as the recipe of a pruning says, or as was done before.

        Args:
            model: Dense and fine-tuned, to measure.
            text: Tokenized, to measure it on.
        """
        recipe, kept = self.recipe, self.folder / "plan.json"
        assert isinstance(recipe, PruneRecipe)
        if not recipe.is_planned:
            return Plan(dict.fromkeys(encoder_matrices(model), recipe.sparsity))
        if not _is_usable(kept):
            pattern = parse_pattern(recipe.pattern)
            assert isinstance(pattern, Blocks)
            planner = Planner(model, text, pattern, self.progress)
            by_sensitivity = recipe.budget == "sensitivity"
            if recipe.latency_budget is None:
                plan = planner.for_weights(recipe.sparsity)
            else:
                plan = planner.for_latency(recipe.latency_budget, by_sensitivity=by_sensitivity)
                discard(self.folder / _CHECKPOINTS / "student")  # of a plan that was lost; times differ
            write_json(kept, plan.to_json())
            seal(kept)
        return Plan(**json.loads(kept.read_text(encoding="utf-8")))

    def student_rows(self, source: str) -> Dataset:
        """The task's training rows, their copies and the unlabelled texts.

        Args:
            source: Checkpoint that the words of the copies come from.
        """
        labelled = self._augmented(source) if self.recipe.augment else self.task.train
        return concatenate_datasets([labelled, self.unlabelled]) if self.unlabelled else labelled

    def _augmented(self, source: str) -> Dataset:
        """The task's training rows and their copies."""
        recipe = AugmentRecipe(
            task=self.recipe.task,
            columns=self.recipe.columns,
            model=source,
            copies=self.recipe.augment,
            replaced_share=self.recipe.replaced_share,
            train_rows=self.recipe.train_rows,
            seed=self.recipe.seed,
        )
        file = self.folder / "augmented.jsonl"
        self._keep_augmented(recipe, file)
        return read_augmented(file, self.task, recipe.copies)

    @on_main
    def _keep_augmented(self, recipe: AugmentRecipe, file: Path) -> None:
        if not _is_usable(file):
            augmenter = load_augmenter(recipe.model)
            begun = interrupted(file).exists()
            write_augmented(recipe, self.task, augmenter, file, progress=self.progress, resume=begun)
            seal(file)

    @on_main
    def finish(
        self, student: PreTrainedModel, teacher: PreTrainedModel, method: Mapping[str, object], steps: int
    ) -> dict[str, Any]:
        """Write the run folder's files and return what metrics.json holds."""
        metrics = {
            **method,
            "task": self.task.name,
            "train_rows": len(self.task.train),
            "augment": self.recipe.augment,
            "replaced_share": self.recipe.replaced_share,
            "unlabelled": len(self.unlabelled or ()),
            "seed": self.recipe.seed,
            "steps": steps,
            "seconds": self._seconds(),
            "metrics": self._score(student),
            "teacher_metrics": self._score(teacher),
            "encoder_weights": encoder_weights(student),
            "teacher_encoder_weights": encoder_weights(teacher),
            "encoder_size": encoder_size(student),
            **self._teacher_figures(),
        }
        student.save_pretrained(self.folder)
        save_tokenizer(self.tokenizer, self.folder)
        write_json(self.folder / _METRICS, metrics)
        seal(self.folder, _SCRATCH)  # finished: what is deleted from here on is not needed again
        self._clear()
        return metrics

    def _clear(self) -> None:
        """Delete what a finished run does not keep."""
        for path in self.folder.iterdir():
            if path.name in _SCRATCH or path.name.startswith("."):
                discard(path)
        (self.folder / "teacher" / SEAL).unlink(missing_ok=True)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._started, 1)

    def _earlier_seconds(self) -> float:
        """How long the run took until it was interrupted."""
        try:
            return float(json.loads((self.folder / _CLOCK).read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, TypeError, KeyError):
            return 0

    def _keep_time(self) -> None:
        write_json(self.folder / _CLOCK, {"seconds": self._seconds()})

    def _score(self, model: PreTrainedModel) -> dict[str, float]:
        return score_model(model, self.tokenizer, self.task, self.recipe.training.max_length)


def _is_usable(kept: Path) -> bool:
    """Whether a part of the run was finished before; one that is damaged is deleted."""
    if is_whole(kept):
        return True
    if is_sealed(kept):
        _log.warning("%s is damaged; it is made again", kept)
    discard(kept)
    return False
