"""What a teacher shows its student: logits, hidden states and attention scores of one forward pass."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from kaprune_edge.encoder import encoder_layers, num_heads
from kaprune_edge.heads import read_choices


@dataclass(frozen=True)
class Trace:
    """The outputs of one forward pass."""

    logits: Tensor
    """What the model chooses between, [choices, classes]; of a sentence classifier [batch, labels]."""
    hidden_states: tuple[Tensor, ...]
    """The embedding output and every layer's output, [batch, length, width] each."""
    attention_scores: tuple[Tensor, ...]
    """Every layer's scaled query-key products before softmax, [batch, heads, length, length] each."""


class Tracer:
    """Runs a model and collects its `Trace`.

    Queries and keys are taken from the modules that make them, so that every architecture looks the same.
    The model's attention becomes eager: PyTorch's fused one takes a CPU several times as long backwards.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        """Watch a supported encoder (InputError otherwise)."""
        self._model = model
        model.set_attn_implementation("eager")
        self._heads = num_heads(model.config)
        self._seen: dict[nn.Module, Tensor] = {}
        self._layers = encoder_layers(model)
        for layer in self._layers:
            layer.query.register_forward_hook(self._remember)
            layer.key.register_forward_hook(self._remember)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Trace:
        """Run the model on tokenized inputs of shape [batch, length]."""
        output: Any = self._model(**inputs, output_hidden_states=True)
        scores = tuple(self._scores(self._seen[layer.query], self._seen[layer.key]) for layer in self._layers)
        self._seen.clear()
        return Trace(read_choices(output, inputs["attention_mask"]), output.hidden_states, scores)

    def _remember(self, module: nn.Module, _: object, output: Tensor) -> None:
        self._seen[module] = output

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        query, key = (x.unflatten(-1, (self._heads, -1)).transpose(1, 2) for x in (query, key))
        return query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
