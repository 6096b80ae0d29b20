"""Layer by layer on tiny models of every architecture."""

import copy

import pytest
import tiny
import torch

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.pruning.reconstruction import Reconstruction
from kaprune_edge.sparsity.patterns import Blocks


def text(seed, rows=64, length=12):
    """Random tokens in rows of unlike length."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, 60, (rows, length), generator=generator)
    lengths = torch.randint(4, length + 1, (rows, 1), generator=generator)
    mask = (torch.arange(length) < lengths).long()
    return {"input_ids": torch.where(mask == 1, ids, 1), "attention_mask": mask}


def logits(model, batch):
    with torch.no_grad():
        return model.eval()(**batch).logits


def pruned(teacher, criterion, sparsity=0.5, pattern=None, student=None):
    student = student or copy.deepcopy(teacher)
    pruner = Pruner(encoder_matrices(student), pattern or Blocks())
    pruner.prune(dict.fromkeys(pruner.matrices, sparsity), criterion(student))
    return student


def error(model, teacher, batch):
    return (logits(model, batch) - logits(teacher, batch)).square().mean()


def divergence(model, teacher, batch):
    ours, theirs = (logits(each, batch).log_softmax(-1) for each in (model, teacher))
    return torch.nn.functional.kl_div(ours, theirs, log_target=True, reduction="batchmean")


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
@pytest.mark.parametrize("pattern", [Blocks(), Blocks(4, 1)])
def test_it_keeps_what_the_teacher_says_of_new_text_better_than_magnitude(model_type, pattern):
    teacher = tiny.make_model(model_type, vocab_size=60)
    batches = [text(seed) for seed in range(8)]
    ours = pruned(teacher, lambda student: Reconstruction(student, teacher, batches), pattern=pattern)
    theirs = pruned(teacher, lambda _: Magnitude(), pattern=pattern)
    for weight in encoder_matrices(ours).values():
        assert (weight == 0).float().mean() == pytest.approx(0.5)
    assert error(ours, teacher, text(99)) < 0.6 * error(theirs, teacher, text(99))


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_later_matrices_make_up_for_the_errors_of_earlier_ones(model_type):
    """With nothing removed, a student damaged in its first matrices comes back to the teacher."""
    teacher = tiny.make_model(model_type, vocab_size=60)
    student = copy.deepcopy(teacher)
    with torch.no_grad():
        for weight in list(encoder_matrices(student).values())[:4]:
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)), alpha=0.2)
    before = error(student, teacher, text(99))
    batches = [text(seed) for seed in range(8)]
    pruned(teacher, lambda student: Reconstruction(student, teacher, batches), 0, student=student)
    assert error(student, teacher, text(99)) < 0.05 * before


def test_padding_counts_for_nothing():
    teacher = tiny.make_model("bert", vocab_size=60).double()
    plain, padded = (
        text(0),
        {name: torch.nn.functional.pad(values, (0, 9)) for name, values in text(0).items()},
    )
    short, long = (
        pruned(teacher, lambda student, batch=batch: Reconstruction(student, teacher, [batch]))
        for batch in (plain, padded)
    )
    for name, weight in encoder_matrices(short).items():
        torch.testing.assert_close(weight, encoder_matrices(long)[name], rtol=1e-3, atol=1e-3)


def test_a_model_in_training_stays_in_training():
    teacher = tiny.make_model("bert", vocab_size=60)
    student = copy.deepcopy(teacher).train()
    pruned(teacher, lambda student: Reconstruction(student, teacher, [text(0)]), student=student)
    assert student.training
    assert not teacher.training
