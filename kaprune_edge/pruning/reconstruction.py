"""Pruning layer by layer so that each computes what the teacher's does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from kaprune_edge.encoder import Layer, encoder_layers
from kaprune_edge.pruning.sparse_regression import fit_sparse
from kaprune_edge.sparsity.patterns import Pattern

_STAGES = (("query", "key", "value"), ("attention_output",), ("intermediate",), ("output",))
_NORM_AFTER = {"attention_output": "attention_norm", "output": "output_norm"}


class Reconstruction:
    """The criterion that keeps what each layer computes, and moves the kept weights to that end.

    Layers are pruned in the order of computation, each on the inputs that the pruned ones before it give,
    as in Frantar and Alistarh, "SparseGPT" (ICML 2023), section 3.3. Each is fitted to the *teacher's*
    outputs on the same text, and where a residual is added to the *teacher's* sum, so that a layer makes
    up for the errors of those before it instead of adding its own. No labels are needed.
    """

    def __init__(
        self,
        student: PreTrainedModel,
        teacher: PreTrainedModel,
        batches: Sequence[Mapping[str, Tensor]],
        on_layer: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Remember two models of one shape, and text to compare them on.

        Args:
            student: The model whose matrices are pruned; its biases are fitted too.
            teacher: What it should compute.
            batches: Tokenized text with `attention_mask`, without labels.
            on_layer: Told how many layers are done.
        """
        self._student = student
        self._teacher = teacher
        self._batches = batches
        self._on_layer = on_layer

    @torch.no_grad()
    def __call__(
        self, matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: float
    ) -> dict[str, Tensor]:
        """Fit all matrices at a sparsity; `matrices` are the student's, in layer order. See `Criterion`."""
        was_training = self._student.training
        self._student.eval()
        self._teacher.eval()
        own, taught = (_Stream(model, self._batches) for model in (self._student, self._teacher))
        masks: list[Tensor] = []
        pairs = zip(encoder_layers(self._student), encoder_layers(self._teacher), strict=True)
        for done, (layer, example) in enumerate(pairs, 1):
            for stage in _STAGES:
                for role, (inputs, wanted) in _lessons(stage, layer, example, own, taught).items():
                    linear: nn.Linear = getattr(layer, role)
                    fit = fit_sparse(inputs, wanted, linear.weight, pattern, sparsity)
                    linear.weight.copy_(fit.weight)
                    linear.bias.copy_(fit.bias)
                    masks.append(fit.mask)
            own.advance(layer)
            taught.advance(example)
            self._on_layer(done)
        self._student.train(was_training)
        return dict(zip(matrices, masks, strict=True))


def _lessons(
    stage: Sequence[str], layer: Layer, example: Layer, own: "_Stream", taught: "_Stream"
) -> dict[str, tuple[Tensor, Tensor]]:
    """Pair the inputs of the student's linear modules of a stage with the outputs wanted of them."""
    (role, *_) = stage
    if role in _NORM_AFTER:
        (inputs, output), (total, _) = own.observe(layer, role, _NORM_AFTER[role])
        ((wanted_total, _),) = taught.observe(example, _NORM_AFTER[role])
        return {role: (inputs, wanted_total - (total - output))}
    seen, wanted = own.observe(layer, *stage), taught.observe(example, *stage)
    return {
        role: (inputs, output) for role, (inputs, _), (_, output) in zip(stage, seen, wanted, strict=True)
    }


class _Reached(Exception):  # noqa: N818 - not an error: it ends a forward pass where nothing more is needed
    """A forward pass has come to where it is to end."""


class _Stream:
    """Text on its way through a model, layer by layer."""

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
            output = layer.module(*args, **kwargs)
            hidden = output if isinstance(output, Tensor) else output[0]
            self._calls[index] = ((hidden, *args[1:]), kwargs)


def _run(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Call a module as far as a hook lets it come."""
    try:
        module(*args, **kwargs)
    except _Reached:
        return
