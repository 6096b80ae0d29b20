"""PyTorch to dense ONNX, with dynamic batch and sequence length."""

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from kaprune_edge.encoder import check_supported
from kaprune_edge.export.domain import IR_VERSION, OPSET
from kaprune_edge.export.finite import check_finite
from kaprune_edge.export.graph import add_initializer, constant, is_op
from kaprune_edge.export.quiet import quiet
from kaprune_edge.export.traced import TRANSPOSED, TracedGraphs
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, kind_of
from kaprune_runtime.session import ANSWER_OUTPUTS

__all__ = ["input_names", "to_onnx"]

_POSITIONS_FROM_ZERO = ("bert", "distilbert", "electra")
"""Architectures that cut their positions out of a table. They are counted instead: ONNX Runtime's symbolic
shape inference, which its quantizer begins with, then finds them as long as the inputs."""

_NAMES = ("_name_or_path", "architectures", "id2label", "label2id", "transformers_version")
"""Of a config's fields those that no graph depends on."""

_GRAPHS = TracedGraphs()


def to_onnx(model: PreTrainedModel, *, token_types: bool = True) -> ir.Model:
    """Export an encoder and its head, right for every length up to its position embeddings and every padding.

    Initializers are named after the parameters; one that the graph holds transposed ends in ".T".

    Args:
        model: A supported encoder in float32; left as it was.
        token_types: Whether its tokenizer gives token types; without them the model has no such input, and
            takes every token as of the first text, as PyTorch does.

    Returns:
        Dense ONNX. Inputs int64 [batch_size, sequence_length], named as `input_names` says; output
        `logits`, float32 [batch_size, labels], of token classification [batch_size, sequence_length, labels];
        of question answering `start_logits` and `end_logits`, [batch_size, sequence_length] each.

    Raises:
        InputError: The architecture or the weights' type is not supported, or weights are not finite.
    """
    check_supported(model.config)
    weights = {name: weight.numpy(force=True) for name, weight in model.state_dict().items()}
    check_finite(weights.items(), model.config.name_or_path or "the model")
    if model.dtype != torch.float32:
        raise InputError(f"weights of type {model.dtype} are not supported; load the model in float32")
    names = input_names(model.config)
    if not token_types and "token_type_ids" in names:
        names.remove("token_type_ids")
    graph = _GRAPHS.get(_key(model, names), weights, lambda: _trace(model, names))
    program = torch.onnx.ONNXProgram(graph, None)
    program.optimize()
    ClearMetadataAndDocStringPass()(program.model)
    return program.model


def _key(model: PreTrainedModel, names: Sequence[str]) -> str:
    """Tell graphs apart: the head, the inputs, and all of the config but names and dropout."""
    config = model.config.to_dict()
    shape = {name: value for name, value in config.items() if name not in _NAMES and "dropout" not in name}
    return json.dumps(
        [type(model).__name__, model.config.num_labels, list(names), shape], default=str, sort_keys=True
    )


def _trace(model: PreTrainedModel, names: Sequence[str]) -> ir.Model:
    answers = kind_of([type(model).__name__]) == QUESTIONS
    example = {name: torch.ones(2, 8, dtype=torch.int64) for name in names}
    with _exportable(model), warnings.catch_warnings(), quiet("torch.onnx", "torch.export"):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Logits(model),
            (),
            kwargs=example,
            dynamic_shapes={name: {0: "batch_size", 1: "sequence_length"} for name in names},
            input_names=names,
            output_names=list(ANSWER_OUTPUTS) if answers else ["logits"],
            opset_version=OPSET,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    if program is None:
        raise InputError("torch.onnx gave no program; check that torch and onnxscript fit together")
    program.model.ir_version = IR_VERSION
    _name_after_parameters(program.model.graph)
    return program.model


def input_names(config: PretrainedConfig) -> list[str]:
    """Name the inputs of the exported model, as Optimum and transformers.js feed them."""
    names = ["input_ids", "attention_mask"]
    return [*names, "token_type_ids"] if getattr(config, "type_vocab_size", 0) > 1 else names


class _Logits(nn.Module):
    """The model with its attention mask made once, as what is added to the scores of every layer."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        # Anything but 0 is a token, as the models themselves have it.
        masked = (attention_mask == 0).to(torch.float32)[:, None, None, :]
        inputs = {"input_ids": input_ids, "attention_mask": masked * torch.finfo(torch.float32).min}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        if self.model.config.model_type in _POSITIONS_FROM_ZERO:
            inputs["position_ids"] = torch.arange(input_ids.shape[1])[None]
        output = self.model(**inputs)
        if "start_logits" in output:
            return output.start_logits, output.end_logits
        logits: Tensor = output.logits
        return logits


@contextlib.contextmanager
def _exportable(model: PreTrainedModel) -> Iterator[None]:
    """Put the model into evaluation mode and plain attention, and back."""
    was_training, attention = model.training, model.config._attn_implementation
    encoder: Any = model.base_model.encoder if model.config.model_type == "mpnet" else None
    model.eval().set_attn_implementation("eager")
    if encoder is not None:
        encoder.relative_position_bucket = _bucket_lookup(encoder, model.config.max_position_embeddings)
    try:
        yield
    finally:
        if encoder is not None:
            del encoder.relative_position_bucket
        model.set_attn_implementation(attention)
        model.train(was_training)


def _bucket_lookup(encoder: Any, positions: int) -> Callable[..., Tensor]:
    """Tabulate MPNet's buckets: its rounded logarithms differ between PyTorch and other engines."""
    table = encoder.relative_position_bucket(torch.arange(1 - positions, positions))

    def lookup(relative_position: Tensor, num_buckets: int) -> Tensor:
        return table[relative_position + (positions - 1)]

    return lookup


def _name_after_parameters(graph: ir.Graph) -> None:
    """Drop the wrapper's prefix, and give transposed weights in place of Transpose nodes."""
    for weight in list(graph.initializers.values()):
        weight.name = (weight.name or "").removeprefix("model.")
        content = constant(weight)
        transposes = [node for node in weight.consumers() if is_op(node, "Transpose")]
        if content is not None and content.ndim == 2 and transposes:
            transposed = add_initializer(graph, f"{weight.name}{TRANSPOSED}", content.T)
            for node in transposes:
                node.outputs[0].replace_all_uses_with(transposed)
                graph.remove(node, safe=True)
