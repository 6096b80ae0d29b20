"""The distillation losses of TinyBERT (Jiao et al., 2020, section 3.1) as SparseBERT sums them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from kaprune_edge.distillation.trace import Trace
from kaprune_edge.processes import shares


def logits_loss(student: Tensor, teacher: Tensor, *, regression: bool) -> Tensor:
    """Compare what two models choose, [choices, classes]; gives this process's part of the batch's loss.

    Soft cross-entropy at temperature 1; squared error for a `regression`, where a logit is a value.
    """
    (share,) = shares(len(student))
    if regression:
        return share * functional.mse_loss(student, teacher)
    return share * functional.cross_entropy(student, teacher.softmax(-1))


def layer_losses(
    student: Trace,
    teacher: Trace,
    attention_mask: Tensor,
    layer_map: Sequence[int],
    *,
    project: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """Compare a student's layers with its teacher's, term by term.

    Padding counts for nothing: scores and hidden states of padded positions are zero on both sides and
    the means run over real positions, so that a loss does not depend on how a batch was padded.

    Args:
        student: The student's outputs.
        teacher: The teacher's, without gradient.
        attention_mask: [batch, length], 1 for real tokens.
        layer_map: For every student layer, the number of the teacher's layer that it learns from, from 1.
        project: From the student's width to the teacher's, where they differ.

    Returns:
        Scalar losses under the names `attention`, `embeddings` and `hidden`, each summed over layers, as
        in TinyBERT's and SparseBERT's code. Each is this process's part of the batch's loss.
    """
    token = attention_mask.to(student.logits.dtype)
    position = token[:, :, None]
    pair = (token[:, :, None] * token[:, None, :])[:, None]
    of_pairs, of_tokens = shares(pair.sum(), token.sum())

    def hidden_error(student_layer: int, teacher_layer: int) -> Tensor:
        hidden = student.hidden_states[student_layer]
        if project is not None:
            hidden = project(hidden)
        return _masked_mse(hidden, teacher.hidden_states[teacher_layer], position)

    attention = [
        _masked_mse(scores, teacher.attention_scores[layer - 1], pair)
        for scores, layer in zip(student.attention_scores, layer_map, strict=True)
    ]
    hidden = [hidden_error(own, layer) for own, layer in enumerate(layer_map, 1)]
    return {
        "attention": of_pairs * torch.stack(attention).sum(),
        "embeddings": of_tokens * hidden_error(0, 0),
        "hidden": of_tokens * torch.stack(hidden).sum(),
    }


def _masked_mse(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over the positions where a broadcastable 0/1 mask is 1."""
    entries = mask.sum() * (student.numel() / mask.numel())
    return ((student.float() - teacher.float()).square() * mask).sum() / entries
