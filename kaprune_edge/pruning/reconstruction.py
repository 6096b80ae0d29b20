"""Pruning layer by layer so that each computes what the teacher's does."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from kaprune_edge.encoder import Layer, encoder_layers
from kaprune_edge.pruning.sparse_regression import fit_sparse
from kaprune_edge.pruning.stream import STAGES, TextStream
from kaprune_edge.pruning.text_criterion import TextCriterion
from kaprune_edge.sparsity.patterns import Pattern

_NORM_AFTER = {"attention_output": "attention_norm", "output": "output_norm"}


class Reconstruction(TextCriterion):
    """The criterion that keeps what each layer computes, and moves the kept weights to that end.

    Layers are pruned in the order of computation, each on the inputs that the pruned ones before it give,
    as in Frantar and Alistarh, "SparseGPT" (ICML 2023), section 3.3. Each is fitted to the *teacher's*
    outputs on the same text, and where a residual is added to the *teacher's* sum, so that a layer makes
    up for the errors of those before it instead of adding its own. Biases are fitted too. No labels are
    needed.
    """

    @torch.no_grad()
    def masks(
        self, matrices: Mapping[str, nn.Parameter], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Fit all matrices; `matrices` are the student's, in layer order. See `Criterion.masks`."""
        was_training = self._student.training
        self._student.eval()
        self._teacher.eval()
        own, taught = (TextStream(model, self._batches) for model in (self._student, self._teacher))
        shares = iter(sparsity[name] for name in matrices)
        masks: list[Tensor] = []
        pairs = zip(encoder_layers(self._student), encoder_layers(self._teacher), strict=True)
        for done, (layer, example) in enumerate(pairs, 1):
            example_outputs = _outputs(example, taught)
            for stage in STAGES:
                for role, (inputs, wanted) in _lessons(stage, layer, own, example_outputs).items():
                    linear: nn.Linear = getattr(layer, role)
                    fit = fit_sparse(inputs, wanted, linear.weight, pattern, next(shares))
                    linear.weight.copy_(fit.weight)
                    linear.bias.copy_(fit.bias)
                    masks.append(fit.mask)
            own.advance(layer)
            taught.advance(example)
            self._on_layer(done)
        self._student.train(was_training)
        return dict(zip(matrices, masks, strict=True))


def _outputs(example: Layer, taught: TextStream) -> dict[str, Tensor]:
    """Collect what the teacher's linear modules give, with the residual where one is added."""
    linear, norms = ("query", "key", "value", "intermediate"), _NORM_AFTER.values()
    seen = dict(zip((*linear, *norms), taught.observe(example, *linear, *norms), strict=True))
    return {role: seen[role][1] for role in linear} | {
        role: seen[norm][0] for role, norm in _NORM_AFTER.items()
    }


def _lessons(
    stage: Sequence[str], layer: Layer, own: TextStream, example_outputs: Mapping[str, Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Pair the inputs of the student's linear modules of a stage with the outputs wanted of them."""
    (role, *_) = stage
    if role in _NORM_AFTER:
        (inputs, output), (total, _) = own.observe(layer, role, _NORM_AFTER[role])
        return {role: (inputs, example_outputs[role] - (total - output))}
    return {
        role: (inputs, example_outputs[role])
        for role, (inputs, _) in zip(stage, own.observe(layer, *stage), strict=True)
    }
