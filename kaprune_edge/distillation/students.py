"""Small dense students (TinyBERT) and where their first weights come from."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from kaprune_edge.checkpoints import set_dropout
from kaprune_edge.encoder import encoder_matrices, num_heads
from kaprune_edge.heads import head_class
from kaprune_runtime.errors import InputError


@dataclass(frozen=True)
class StudentShape:
    """Size of an encoder."""

    layers: int
    width: int
    intermediate: int

    def __str__(self) -> str:
        return f"{self.layers}x{self.width}"

    @property
    def encoder_weights(self) -> int:
        """Weights in the six matrices of all layers."""
        return self.layers * (4 * self.width**2 + 2 * self.width * self.intermediate)


TINYBERT_LAYERS = 4
NAMED_STUDENTS = {
    "tinybert-4l-312d": StudentShape(TINYBERT_LAYERS, 312, 1200),
    "tinybert-6l-768d": StudentShape(6, 768, 3072),
}


def student_shape(text: str, teacher: PreTrainedModel) -> StudentShape:
    """Read a student's name, LAYERSxWIDTH, or equal:SPARSITY.

    `equal:0.95` means TinyBERT's four layers with as many encoder weights as the teacher keeps at
    95 % sparsity.

    Raises:
        InputError: The text is none of these, or the shape cannot learn from this teacher.
    """
    heads, depth = num_heads(teacher.config), teacher.config.num_hidden_layers
    if text in NAMED_STUDENTS:
        shape = NAMED_STUDENTS[text]
    elif match := re.fullmatch(r"([1-9]\d?)x([1-9]\d{0,3})", text):
        shape = StudentShape(int(match[1]), int(match[2]), 4 * int(match[2]))
    elif match := re.fullmatch(r"equal:(0?\.\d+)", text):
        total = sum(weight.numel() for weight in encoder_matrices(teacher).values())
        shape = equal_shape(round((1 - float(match[1])) * total), min(TINYBERT_LAYERS, depth), heads)
    else:
        names = ", ".join(NAMED_STUDENTS)
        raise InputError(f"unknown student '{text}'; use {names}, LAYERSxWIDTH such as 4x312, or equal:0.95")
    if shape.layers > depth:
        raise InputError(f"student {text} has {shape.layers} layers, its teacher only {depth}; choose fewer")
    if shape.width % heads:
        nearest = max(heads, round(shape.width / heads) * heads)
        raise InputError(
            f"student {text}: {shape.width} is not a multiple of the teacher's {heads} attention heads; "
            f"use {shape.layers}x{nearest}"
        )
    return shape


def equal_shape(weights: int, layers: int, heads: int) -> StudentShape:
    """Find the encoder of a depth that has this many weights.

    Its width is the multiple of `heads` at which the feed-forward matrices, sized so that the total
    fits, come nearest to four times the width.

    Raises:
        InputError: So few weights make no encoder of this many heads.
    """
    shapes = []
    for width in range(heads, 4096, heads):
        intermediate = round((weights / layers - 4 * width**2) / (2 * width))
        if intermediate < 1:
            break
        shapes.append(StudentShape(layers, width, intermediate))
    if not shapes:
        raise InputError(f"{weights} weights are too few for {heads} attention heads; lower the sparsity")
    return min(shapes, key=lambda shape: abs(shape.intermediate / shape.width - 4))


def uniform_layer_map(student_layers: int, teacher_layers: int) -> list[int]:
    """Let every student layer learn from evenly spaced teacher layers, the last from the last.

    TinyBERT, section 4.2: g(m) = m * teacher_layers / student_layers; rounded where it is not whole.
    """
    return [round(layer * teacher_layers / student_layers) for layer in range(1, student_layers + 1)]


def make_student(
    teacher: PreTrainedModel, shape: StudentShape, *, dropout: float | None = None
) -> PreTrainedModel:
    """Create a small model of the teacher's architecture, with what fits of the teacher's knowledge.

    Embeddings are the teacher's, projected on the principal directions of its word embeddings where the
    student is narrower; layers are copied from the mapped teacher layers where the shapes agree, and
    random elsewhere.

    Args:
        teacher: A fine-tuned classifier.
        shape: The student's size.
        dropout: Replaces the teacher's own dropout probabilities when given.
    """
    config = _resized(teacher.config, shape)
    if dropout is not None:
        set_dropout(config, dropout)
    student: PreTrainedModel = head_class(teacher.config).from_config(config)
    projection = _principal_directions(_word_embeddings(teacher), shape.width)
    layer_of = dict(enumerate(uniform_layer_map(shape.layers, teacher.config.num_hidden_layers), 1))
    taught = teacher.state_dict()
    with torch.no_grad():
        for name, own in student.state_dict().items():
            source = taught[_teacher_name(name, layer_of)]
            if source.shape == own.shape:
                own.copy_(source)
            elif "embeddings" in name and source.dim() == 2 and source.shape[1] == len(projection):
                own.copy_(source @ projection)
    return student


def _resized(config: PretrainedConfig, shape: StudentShape) -> PretrainedConfig:
    resized = type(config)(**config.to_dict())
    resized.num_hidden_layers = shape.layers
    resized.hidden_size = shape.width
    intermediate = "hidden_dim" if config.model_type == "distilbert" else "intermediate_size"
    setattr(resized, intermediate, shape.intermediate)
    return resized


def _teacher_name(name: str, layer_of: dict[int, int]) -> str:
    """Name the teacher's tensor that a student's tensor learns from."""
    return re.sub(r"(?<=layer\.)\d+", lambda match: str(layer_of[int(match[0]) + 1] - 1), name)


def _word_embeddings(model: PreTrainedModel) -> Tensor:
    table = model.get_input_embeddings()
    assert isinstance(table, nn.Embedding)
    return table.weight.detach()


def _principal_directions(embeddings: Tensor, width: int) -> Tensor:
    """Orthonormal directions [teacher width, width] along which the embeddings have most energy."""
    _, vectors = torch.linalg.eigh(embeddings.double().T @ embeddings.double())
    return vectors[:, -width:].flip(1).to(embeddings.dtype)
