"""Teaches and prunes in as many processes as this program was launched with; each writes what it then has."""

import json
import sys
from pathlib import Path

import torch.distributed as dist
from safetensors.torch import save_file
from transformers import set_seed

from kaprune_edge.checkpoints import load_classifier, load_tokenizer
from kaprune_edge.distillation.teaching import distillation_loss, prune_while_training
from kaprune_edge.distillation.training import Lessons
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.processes import join
from kaprune_edge.progress import Silent
from kaprune_edge.pruning.calibration import calibration_batches
from kaprune_edge.pruning.criteria import CRITERIA
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.recipe import DistillRecipe, LossWeights, StudentTraining, Training
from kaprune_edge.sparsity.patterns import parse_pattern
from kaprune_edge.tasks import load_task, tokenize
from kaprune_edge.workflow import distill
from kaprune_runtime.errors import InputError

CRITERIA_TRIED = ("reconstruction", "magnitude", "soft-movement")
TRAINING = Training(epochs=2, learning_rate=1e-3, batch_size=9, max_length=24, dropout=0)
"""Of 46 rows: five batches of nine and one of a single row, which cannot be divided."""


def main(teacher, spec, output):
    join()
    rank = dist.get_rank() if dist.is_initialized() else 0
    for criterion in CRITERIA_TRIED:
        student = prune(teacher, spec, output / "checkpoints" / criterion, criterion)
        save_file(student.state_dict(), output / f"{criterion}-{rank}.safetensors")
    training = StudentTraining(**TRAINING.model_dump())
    recipe = DistillRecipe(teacher=teacher, task=spec, train_rows=46, student="1x16", training=training)
    run = distill(recipe, output / "student")
    try:
        distill(recipe, output / "student")
    except InputError as error:
        (output / f"told-{rank}.json").write_text(json.dumps([dict(run.metrics), str(error)]))


def prune(source, spec, checkpoints, criterion):
    task = load_task(spec, train_rows=46)
    set_seed(0)
    student, teacher = (load_classifier(source, task, fine_tuned=True, dropout=0) for _ in range(2))
    tokenizer = load_tokenizer(source)
    rows = tokenize(task.train, task, tokenizer)
    matrices = encoder_matrices(student)
    prune_while_training(
        student,
        distillation_loss(student, teacher, [1, 2], LossWeights()),
        Pruner(matrices, parse_pattern("4x1")),
        CRITERIA[criterion](student, teacher, calibration_batches(rows, tokenizer, 0)),
        Schedule(pruning_steps=3),
        dict.fromkeys(matrices, 0.9),
        Lessons(rows, tokenizer, TRAINING, 0, checkpoints, Silent(), on_epoch=dict),
    )
    return student


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
