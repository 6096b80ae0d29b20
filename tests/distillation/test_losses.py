import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from kaprune_edge.distillation.losses import layer_losses, logits_loss
from kaprune_edge.distillation.trace import Trace

BATCH, LENGTH, HEADS = 3, 5, 2


def draw_trace(layers, width, labels=2, seed=0):
    random = torch.Generator().manual_seed(seed)
    return Trace(
        torch.randn(BATCH, labels, generator=random),
        tuple(torch.randn(BATCH, LENGTH, width, generator=random) for _ in range(layers + 1)),
        tuple(torch.randn(BATCH, HEADS, LENGTH, LENGTH, generator=random) for _ in range(layers)),
    )


def mean_square_of_real(ours, theirs, mask):
    """Average over the unpadded rows, and columns where there are any, one text at a time."""
    errors = []
    for index, real in enumerate(mask.bool().numpy()):
        difference = (ours[index] - theirs[index]).numpy()
        kept = difference[:, real][:, :, real] if difference.ndim == 3 else difference[real]
        errors.append(kept.flatten() ** 2)
    return np.concatenate(errors).mean()


@pytest.fixture
def mask():
    return torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])


def test_each_loss_is_its_definition(mask):
    student, teacher = draw_trace(2, 4), draw_trace(2, 4, seed=1)
    losses = layer_losses(student, teacher, mask, [1, 2])
    assert float(losses["attention"]) == pytest.approx(
        sum(
            mean_square_of_real(ours, theirs, mask)
            for ours, theirs in zip(student.attention_scores, teacher.attention_scores, strict=True)
        ),
        rel=1e-5,
    )
    hidden = [
        mean_square_of_real(ours, theirs, mask)
        for ours, theirs in zip(student.hidden_states, teacher.hidden_states, strict=True)
    ]
    assert float(losses["embeddings"]) == pytest.approx(hidden[0], rel=1e-5)
    assert float(losses["hidden"]) == pytest.approx(hidden[1] + hidden[2], rel=1e-5)
    loss = logits_loss(student.logits, teacher.logits, regression=False)
    soft = -(softmax(teacher.logits.numpy(), 1) * log_softmax(student.logits.numpy(), 1)).sum(1).mean()
    assert float(loss) == pytest.approx(soft, rel=1e-5)


def test_a_shallow_narrow_student_learns_through_map_and_projection(mask):
    student, teacher = draw_trace(2, 3), draw_trace(6, 4, seed=1)
    project = torch.nn.Linear(3, 4)
    with torch.no_grad():
        losses = layer_losses(student, teacher, mask, [3, 6], project=project)
        hidden = [
            mean_square_of_real(project(student.hidden_states[own]), teacher.hidden_states[layer], mask)
            for own, layer in ((1, 3), (2, 6))
        ]
    assert float(losses["hidden"]) == pytest.approx(sum(hidden), rel=1e-5)
    assert float(losses["attention"]) == pytest.approx(
        mean_square_of_real(student.attention_scores[0], teacher.attention_scores[2], mask)
        + mean_square_of_real(student.attention_scores[1], teacher.attention_scores[5], mask),
        rel=1e-5,
    )


def test_regression_matches_values():
    student, teacher = (draw_trace(1, 4, labels=1, seed=seed).logits for seed in (0, 1))
    loss = logits_loss(student, teacher, regression=True)
    assert float(loss) == pytest.approx(float(((student - teacher) ** 2).mean()))


def test_what_stands_in_the_padding_does_not_matter(mask):
    student, teacher = draw_trace(1, 4), draw_trace(1, 4, seed=1)
    before = layer_losses(student, teacher, mask, [1])
    student.hidden_states[1][2, 2:] = 1e3
    student.attention_scores[0][2, :, :, 2:] = 1e3
    after = layer_losses(student, teacher, mask, [1])
    for name, loss in before.items():
        torch.testing.assert_close(after[name], loss)
