"""Text on its way through a model, layer by layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from kaprune_edge.encoder import Layer, encoder_layers

STAGES = (("query", "key", "value"), ("attention_output",), ("intermediate",), ("output",))
"""Linear modules of a layer that read the same inputs, in the order of computation."""


class _Reached(Exception):  # noqa: N818 - not an error: it ends a forward pass where nothing more is needed
    """A forward pass has come to where it is to end."""


class TextStream:
    """Batches that have come to one layer of a model."""

    def __init__(self, model: PreTrainedModel, batches: Sequence[Mapping[str, Tensor]]) -> None:
        """Bring the batches to the first layer."""
        self._real = [batch["attention_mask"].bool() for batch in batches]
        self._calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

        def catch(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._calls.append((args, kwargs))
            raise _Reached

        hook = encoder_layers(model)[0].module.register_forward_pre_hook(catch, with_kwargs=True)
        for batch in batches:
            _run(model, (), batch)
        hook.remove()

    def observe(self, layer: Layer, *roles: str) -> list[tuple[Tensor, Tensor]]:
        """Collect inputs and outputs of some of the current layer's modules, [real tokens, features] each."""
        modules: list[nn.Module] = [getattr(layer, role) for role in roles]
        seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {module: [] for module in modules}

        def remember(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
            real = self._real[len(seen[module])]
            seen[module].append((args[0][real], output[real]))
            if len({len(pairs) for pairs in seen.values()}) == 1:
                raise _Reached

        hooks = [module.register_forward_hook(remember) for module in modules]
        for args, kwargs in self._calls:
            _run(layer.module, args, kwargs)
        for hook in hooks:
            hook.remove()
        return [
            (torch.cat([inputs for inputs, _ in pairs]), torch.cat([outputs for _, outputs in pairs]))
            for pairs in seen.values()
        ]

    def advance(self, layer: Layer) -> None:
        """Bring the text past the current layer."""
        for index, (args, kwargs) in enumerate(self._calls):
            self._calls[index] = ((_hidden(layer.module(*args, **kwargs)), *args[1:]), kwargs)


def _hidden(output: Any) -> Tensor:
    """Find the hidden states in what a layer gives."""
    hidden: Tensor = output if isinstance(output, Tensor) else output[0]
    return hidden


def _run(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Call a module as far as a hook lets it come."""
    try:
        module(*args, **kwargs)
    except _Reached:
        return
