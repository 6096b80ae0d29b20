"""The head that transformers puts on an encoder: act(dense(first token)), then a linear output.

A probe goes into it without any change of architecture, so the checkpoint stays a plain one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from kaprune_edge.fine_tuning.probe import Probe

_SPREAD = 0.5
"""Standard deviation that the dense module's outputs are given: tanh is nearly linear there."""
_SHRINKAGE = 1e-2


@dataclass(frozen=True)
class _Head:
    dense: str
    output: str
    activation: Callable[[Tensor], Tensor]
    shift: float = 0
    """Mean that the dense module's outputs are given, so that the activation lets most of them through."""


_HEADS: Mapping[str, _Head] = {
    "bert": _Head("bert.pooler.dense", "classifier", torch.tanh),
    "distilbert": _Head("pre_classifier", "classifier", torch.relu, shift=_SPREAD),
    "electra": _Head("classifier.dense", "classifier.out_proj", nn.functional.gelu, shift=_SPREAD),
    "mpnet": _Head("classifier.dense", "classifier.out_proj", torch.tanh),
    "roberta": _Head("classifier.dense", "classifier.out_proj", torch.tanh),
}
"""Architecture -> where its modules are, as in `kaprune_edge.encoder.LAYOUTS`."""


def aim_head(model: PreTrainedModel, first: np.ndarray, target: np.ndarray) -> None:
    """Let the dense module compute, as well as it can from the first token, another feature of the text.

    Ridge regression in closed form, its outputs brought to one mean and spread.

    Args:
        model: A sequence classifier, changed in place.
        first: float32 [rows, width], the first token's last hidden state.
        target: float32 [rows, width], such as the mean of all tokens.
    """
    head = _HEADS[model.config.model_type]
    centre = first.mean(0, dtype=np.float64)
    inputs, outputs = first - centre, target - target.mean(0, dtype=np.float64)
    gram = inputs.T @ inputs
    ridge = _SHRINKAGE * np.trace(gram) / len(gram) + np.finfo(np.float32).tiny
    weight = np.linalg.solve(gram + ridge * np.eye(len(gram)), inputs.T @ outputs).T
    weight *= _SPREAD / max(float((inputs @ weight.T).std(0).mean()), 1e-6)
    _fill(model, head.dense, weight, head.shift - weight @ centre)


def head_features(model: PreTrainedModel, first: np.ndarray) -> np.ndarray:
    """Compute what the output module reads, of the first token's last hidden states [rows, width]."""
    head = _HEADS[model.config.model_type]
    with torch.inference_mode():
        return head.activation(model.get_submodule(head.dense)(torch.from_numpy(first))).numpy()


def set_probe(model: PreTrainedModel, probe: Probe) -> None:
    """Make the output module a probe over `head_features`."""
    _fill(model, _HEADS[model.config.model_type].output, probe.weight, probe.bias)


def _fill(model: PreTrainedModel, path: str, weight: np.ndarray, bias: np.ndarray) -> None:
    module = cast(nn.Linear, model.get_submodule(path))
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.asarray(weight, np.float32)))
        module.bias.copy_(torch.from_numpy(np.asarray(bias, np.float32)))
