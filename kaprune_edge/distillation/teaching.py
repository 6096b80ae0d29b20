"""The three ways a model is trained here: fine-tuned on labels, distilled, pruned while distilled."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME

from kaprune_edge.distillation.losses import layer_losses, logits_loss
from kaprune_edge.distillation.trace import Tracer
from kaprune_edge.distillation.training import Lessons, Loss, checkpoint_folder, train
from kaprune_edge.heads import TARGETS, count_targets
from kaprune_edge.processes import broadcast, shares
from kaprune_edge.pruning.criterion import Criterion
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.recipe import LossWeights
from kaprune_edge.sparse_training import PackedMatrices

_MASKS = "masks.safetensors"
_CRITERION = "criterion.safetensors"


def fine_tune(model: PreTrainedModel, lessons: Lessons) -> int:
    """Train on the labels, in place; returns the number of steps."""
    return train(model, label_loss, lessons, "fine-tune teacher")


def distill(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    layer_map: Sequence[int],
    weights: LossWeights,
    lessons: Lessons,
) -> int:
    """Teach a small dense student, in place; returns the number of steps.

    All of TinyBERT's losses are summed in one stage. Where the widths differ, one learnt projection
    shared by all layers takes the student's hidden states to the teacher's width (section 3.1,
    equations 8 and 9); it is dropped afterwards.

    Args:
        student: What is taught.
        teacher: A fine-tuned model with the same labels.
        layer_map: For every student layer, the number of the teacher's layer it learns from, from 1.
        weights: Of the losses.
        lessons: Rows and hyperparameters.
    """
    if student.config.hidden_size != teacher.config.hidden_size:
        student.hidden_projection = nn.Linear(student.config.hidden_size, teacher.config.hidden_size)
    loss = distillation_loss(student, teacher, layer_map, weights, lessons.training.precision)
    steps = train(student, loss, lessons, "distil student")
    if hasattr(student, "hidden_projection"):
        del student.hidden_projection
    return steps


def prune_while_training(
    student: PreTrainedModel,
    loss: Loss,
    pruner: Pruner,
    criterion: Criterion,
    schedule: Schedule,
    sparsity: Mapping[str, float],
    lessons: Lessons,
) -> int:
    """Teach a student while its weights go, in place; returns the number of steps.

    Xu et al., "Rethinking Network Pruning" (NAACL 2021), section 3.

    Args:
        student: What is taught and pruned.
        loss: What it learns from.
        pruner: Holds the student's matrices.
        criterion: Decides which weights go.
        schedule: How the sparsity rises.
        sparsity: Matrix -> what it rises to.
        lessons: Rows and hyperparameters.
    """
    pruning = _Pruning(student, pruner, criterion, schedule, sparsity)
    return train(
        student,
        loss,
        lessons,
        "prune and train",
        callbacks=[pruning],
        on_resume=pruning.resume,
        on_step=lambda: {"sparsity": pruner.sparsity},
    )


def label_loss(model: PreTrainedModel, batch: Mapping[str, Tensor], _: float) -> Tensor:
    """Compare with the labels, as the checkpoint's own class does."""
    (share,) = shares(count_targets(batch))
    return share * cast(Tensor, model(**batch).loss)


def distillation_loss(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    layer_map: Sequence[int],
    weights: LossWeights,
    precision: str = "float32",
) -> Loss:
    """Make the weighted sum of all distillation losses, and of the logits' alone in the end.

    Args:
        student: What is taught.
        teacher: A fine-tuned model with the same labels.
        layer_map: For every student layer, the number of the teacher's layer it learns from, from 1.
        weights: Of the losses.
        precision: Of the products in the training, by name.
    """
    teacher.eval().set_attn_implementation("eager")  # as the student's, which criteria fit to it
    trace_student, trace_teacher = Tracer(student), Tracer(_rounded(teacher, precision))
    regression = teacher.config.num_labels == 1
    layer_weights: Mapping[str, float] = weights.model_dump(include={"attention", "embeddings", "hidden"})

    def loss(_: PreTrainedModel, batch: Mapping[str, Tensor], done: float) -> Tensor:
        inputs = {name: values for name, values in batch.items() if name not in TARGETS}
        with torch.no_grad():
            taught = trace_teacher(inputs)
        learnt = trace_student(inputs)
        of_logits = weights.logits * logits_loss(learnt.logits, taught.logits, regression=regression)
        if done >= 1 - weights.logits_only:
            return of_logits
        project = getattr(student, "hidden_projection", None)
        terms = layer_losses(learnt, taught, inputs["attention_mask"], layer_map, project=project)
        return of_logits + sum(weight * terms[name] for name, weight in layer_weights.items() if weight)

    return loss


def _rounded(teacher: PreTrainedModel, precision: str) -> PreTrainedModel:
    """Round a copy's linear modules once, as autocast would at every step."""
    if precision == "float32":
        return teacher
    copy = deepcopy(teacher)
    for module in copy.modules():
        if isinstance(module, nn.Linear):
            module.to(getattr(torch, precision))
    return copy


class _Pruning(TrainerCallback):
    """Prunes by schedule, keeps removed weights at zero, and keeps what that needs in every checkpoint."""

    def __init__(
        self,
        student: PreTrainedModel,
        pruner: Pruner,
        criterion: Criterion,
        schedule: Schedule,
        sparsity: Mapping[str, float],
    ) -> None:
        self._student = student
        self._packed = PackedMatrices(student)
        self._pruner = pruner
        self._criterion = criterion
        self._schedule = schedule
        self._sparsity = sparsity

    def resume(self, checkpoint: Path) -> None:
        """Make the student, the masks and the criterion what they were, before a checkpoint is loaded."""
        self._pruner.load(checkpoint / _MASKS)
        self._criterion.load(load_file(checkpoint / _CRITERION))
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        self._pack(state.global_step - 1, state)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **trainer: Any
    ) -> None:
        share = self._schedule.share(state.global_step, state.max_steps)
        if share is not None:
            self._packed.unpack(trainer["optimizer"])
            now = {name: share * final for name, final in self._sparsity.items()}
            self._pruner.prune(now, self._criterion)
            broadcast(self._student.parameters())  # some criteria move weights
            self._pack(state.global_step, state, trainer["optimizer"])

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if not self._schedule.is_settled(state.global_step, state.max_steps):
            self._criterion.observe(self._pruner.matrices)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._pruner.apply(but=self._packed.names)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        folder = checkpoint_folder(args, state)
        self._pruner.save(folder / _MASKS)
        save_file(self._criterion.state(), folder / _CRITERION)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._packed.unpack()

    def _pack(self, step: int, state: TrainerState, optimizer: Optimizer | None = None) -> None:
        """Pack the student for a training step, unless the criterion has to see all of it."""
        if self._schedule.is_settled(step, state.max_steps) or not self._criterion.needs_all_gradients:
            self._packed.pack(self._pruner.masks, optimizer)
