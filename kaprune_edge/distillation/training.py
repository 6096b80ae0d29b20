"""The training loop under fine-tuning, distilling and pruning: resumable, on `transformers.Trainer`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.utils import clear_environment
from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from kaprune_edge import processes
from kaprune_edge.distillation.batches import LengthBuckets, padding
from kaprune_edge.progress import Progress
from kaprune_edge.recipe import Training
from kaprune_edge.storage import discard, is_sealed, is_whole, seal

CHECKPOINTS_PER_TRAINING = 10
CHECKPOINTS_KEPT = 2
_COURSES = {"constant": "constant_with_warmup", "linear": "linear"}

_log = logging.getLogger(__name__)

Loss = Callable[[PreTrainedModel, Mapping[str, Tensor], float], Tensor]
"""Scalar loss of a model on a padded batch of tokenized rows with `labels`, after a share of the training."""

Figures = Callable[[], Mapping[str, float]]
"""What a user wants to see of a training beside its loss."""


@dataclass(frozen=True)
class Lessons:
    """What every training needs beside its model and its loss."""

    rows: Dataset
    """Tokenized rows with `labels` and `length`, not padded."""
    tokenizer: PreTrainedTokenizerBase
    """Pads the batches."""
    training: Training
    seed: int
    """Of row order and dropout."""
    checkpoints: Path
    """Folder for resuming."""
    progress: Progress
    on_epoch: Figures
    """Figures to compute after every epoch."""
    on_save: Callable[[], None] = lambda: None
    """Called before a checkpoint counts as whole."""
    saves: int = CHECKPOINTS_PER_TRAINING
    """Checkpoints to write; a short training may rather be repeated."""
    is_over: Callable[[], bool] = lambda: False
    """Asked after every step; True ends the training."""


def train(
    model: PreTrainedModel,
    loss: Loss,
    lessons: Lessons,
    stage: str,
    *,
    callbacks: Sequence[TrainerCallback] = (),
    on_resume: Callable[[Path], None] = lambda _: None,
    on_step: Figures = dict,
) -> int:
    """Train a model in place, continuing from the newest whole checkpoint if there is one.

    Args:
        model: What is trained.
        loss: What is minimised.
        lessons: Rows, hyperparameters, where to save.
        stage: What to call this training in the progress.
        callbacks: Called by the Trainer, in this order, before a checkpoint counts as whole.
        on_resume: Called with the checkpoint to continue from, before it is loaded.
        on_step: Figures to compute after every step.

    Returns:
        The number of training steps.
    """
    training = lessons.training
    newest = processes.on_main(newest_checkpoint)(lessons.checkpoints)
    if newest is not None:
        on_resume(newest)
    torch.set_flush_denormal(True)  # what moments of words that texts lack decay to is slow to compute with
    with clear_environment():  # where the Trainer would find out about other processes
        arguments = TrainingArguments(
            output_dir=str(lessons.checkpoints),
            per_device_train_batch_size=training.batch_size,
            num_train_epochs=training.epochs,
            learning_rate=training.learning_rate,
            lr_scheduler_type=_COURSES[training.decay],
            warmup_steps=training.warmup,
            optim="adamw_torch_fused",
            save_strategy="steps" if lessons.saves and processes.is_main() else "no",
            save_steps=1 / max(lessons.saves, 1),
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            seed=lessons.seed,
            use_cpu=True,
        )
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=lessons.rows,
        data_collator=padding(lessons.rows, lessons.tokenizer),
        callbacks=[*callbacks, _CheckpointSeal(lessons.on_save)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.loss = loss
    trainer.precision = getattr(torch, training.precision)
    trainer.order = LengthBuckets(lessons.rows["length"], training.batch_size, lessons.seed)
    trainer.add_callback(_Report(trainer, stage, lessons, on_step))
    processes.broadcast(model.parameters())  # machines differ in rounding
    trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    return trainer.state.global_step


def newest_checkpoint(checkpoints: Path) -> Path | None:
    """Find the last checkpoint that is whole; later ones, which are not, are deleted."""
    damaged = []
    for folder in reversed(_checkpoints(checkpoints)):
        if is_whole(folder):
            break
        if is_sealed(folder):
            damaged.append(folder.name)
        discard(folder)
    else:
        folder = None
    if damaged:
        rest = f"this training goes on from {folder.name}" if folder else "this training starts over"
        _log.warning("damaged in %s: %s; %s", checkpoints, ", ".join(damaged), rest)
    return folder


def _checkpoints(folder: Path) -> list[Path]:
    """List all checkpoints, whole or not, in the order of their steps."""
    return sorted(
        folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=lambda path: int(path.name.rpartition("-")[2])
    )


def checkpoint_folder(arguments: TrainingArguments, state: TrainerState) -> Path:
    """Name the checkpoint of the current step."""
    return Path(str(arguments.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"


class _Trainer(Trainer):
    """A Trainer that minimises any `Loss` and forms batches by length.

    It counts whole batches and knows of no other process; their gradients are added here.
    DistributedDataParallel would average over parts of unequal size, and see no loss outside of `forward`.
    """

    loss: Loss
    precision: torch.dtype
    order: Sampler[int]
    last_loss = float("nan")

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        with torch.autocast(
            self.args.device.type, self.precision, enabled=self.precision is not torch.float32
        ):
            done = self.state.global_step / self.state.max_steps
            return self.loss(cast(PreTrainedModel, model), inputs, done)

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor | Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        processes.draw_apart(self.args.seed, self.state.global_step)
        loss = super().training_step(model, inputs, num_items_in_batch)
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        processes.add([loss, *gradients])
        self.last_loss = float(loss)
        return loss

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        return self.order


class _CheckpointSeal(TrainerCallback):
    """Seals a checkpoint, last of all that is written into it, and only then deletes older ones."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before = before

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._before()
        newest = checkpoint_folder(args, state)
        seal(newest)
        for older in _checkpoints(newest.parent)[:-CHECKPOINTS_KEPT]:
            discard(older)


class _Report(TrainerCallback):
    """Tells the progress of a training."""

    def __init__(self, trainer: _Trainer, stage: str, lessons: Lessons, on_step: Figures) -> None:
        self._trainer = trainer
        self._stage = stage
        self._progress = lessons.progress
        self._on_step = on_step
        self._on_epoch = lessons.on_epoch
        self._is_over = lessons.is_over
        self._epoch_figures: Mapping[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._progress.start(self._stage, state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        figures = {"loss": self._trainer.last_loss, **self._on_step(), **self._epoch_figures}
        self._progress.advance(state.global_step, **figures)
        if self._is_over():
            control.should_training_stop = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._epoch_figures = self._on_epoch()
