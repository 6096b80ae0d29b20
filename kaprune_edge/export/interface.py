"""Inputs and outputs of an ONNX file made by anyone, brought to those of a deployment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

from kaprune_edge.export.parity import Reference
from kaprune_edge.export.reading import parts
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, TEXT, TOKENS
from kaprune_runtime.session import ANSWER_OUTPUTS, session

__all__ = ["OUTPUTS", "Interface", "settle"]

OUTPUTS = {TEXT: ("logits",), TOKENS: ("logits",), QUESTIONS: ANSWER_OUTPUTS}
"""Kind -> names of a deployment's outputs."""

_RANKS = {
    TEXT: (2, "one output `logits` of [batch, labels]; export a sequence classifier"),
    TOKENS: (3, "one output `logits` of [batch, length, labels]; export a token classifier"),
    QUESTIONS: (
        2,
        "`start_logits` and `end_logits` of [batch, length]; export a model for question answering",
    ),
}
"""Kind -> rank of the outputs, and what to do."""
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_INTEGERS = {TensorProto.INT64: np.int64, TensorProto.INT32: np.int32}
_PROBABILITIES = ("Softmax", "Sigmoid")


@dataclass(frozen=True)
class Interface:
    """What the file itself takes and gives."""

    inputs: dict[str, type]
    """Name -> type of the numbers."""
    outputs: tuple[str, ...]
    """Names, in the order of a deployment's outputs."""

    def reference(self, path: Path) -> Reference:
        """Run the file as it is, for comparison.

        As Optimum does, it leaves out what the file does not take, and gives zeros for missing token types.
        """
        loaded = session(path)

        def run(feeds: Mapping[str, np.ndarray]) -> np.ndarray:
            zeros = np.zeros_like(feeds["input_ids"])
            own: dict[str, np.ndarray] = {
                name: feeds.get(name, zeros).astype(kind) for name, kind in self.inputs.items()
            }
            answers = loaded.run(list(self.outputs), own)
            return np.stack(answers, axis=-1) if len(answers) > 1 else np.asarray(answers[0])

        return run


def settle(graph: GraphProto, path: Path, kind: str) -> Interface:
    """Give a graph int64 inputs of batch and length, and the outputs of its kind alone.

    - Initializers that are listed as inputs, as IR version 3 has them, are inputs no more.
    - int32 inputs become int64.
    - Outputs besides those of the kind go.

    Args:
        graph: Changed in place.
        path: Of its file.
        kind: What the model is for.

    Returns:
        What inputs and outputs were.

    Raises:
        InputError: It takes or gives something else.
    """
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    _check_inputs(inputs, path)
    interface = Interface(
        {value.name: _INTEGERS[value.type.tensor_type.elem_type] for value in inputs},
        _choose_outputs(graph, path, kind),
    )
    outputs = {value.name: value for value in graph.output}
    del graph.input[:], graph.output[:]
    graph.input.extend(inputs)
    graph.output.extend(outputs[name] for name in interface.outputs)
    _widen_inputs(graph)
    return interface


def _check_inputs(inputs: list[ValueInfoProto], path: Path) -> None:
    names = {value.name for value in inputs}
    if "position_ids" in names:
        raise InputError(f"{path} takes position_ids; export it without, so that it counts positions itself")
    if not {"input_ids", "attention_mask"} <= names <= _INPUTS:
        raise InputError(
            f"{path} takes {', '.join(sorted(names))}; a text encoder takes input_ids, attention_mask and "
            "perhaps token_type_ids"
        )
    for value in inputs:
        tensor = value.type.tensor_type
        if tensor.elem_type not in _INTEGERS:
            found = TensorProto.DataType.Name(tensor.elem_type).lower()
            raise InputError(f"{path} takes {value.name} in {found}; export it with int64 inputs")
        if tensor.HasField("shape") and len(tensor.shape.dim) != 2:
            raise InputError(
                f"{path} takes {value.name} of {len(tensor.shape.dim)} dimensions, not [batch, length]"
            )
        if any(size.HasField("dim_value") for size in tensor.shape.dim):
            raise InputError(f"{path} has a fixed batch or length; export it with dynamic axes")


def _choose_outputs(graph: GraphProto, path: Path, kind: str) -> tuple[str, ...]:
    """Find a kind's outputs: by name, else all of them where their number and ranks fit."""
    wanted, (rank, advice) = OUTPUTS[kind], _RANKS[kind]
    found = {value.name: value for value in graph.output}
    fitting = [name for name, value in found.items() if _rank(value) in (None, rank)]
    chosen = wanted if set(wanted) <= set(found) else tuple(fitting)
    if len(chosen) != len(wanted) or not set(chosen) <= set(fitting):
        listed = ", ".join(f"{name} {_shape(value)}" for name, value in found.items())
        raise InputError(f"{path} gives {listed}; it does not have {advice}")
    for node in graph.node:
        if node.op_type in _PROBABILITIES and set(node.output) & set(chosen):
            raise InputError(f"{path} gives probabilities ({node.op_type}); export it to give its logits")
    return chosen


def _rank(value: ValueInfoProto) -> int | None:
    tensor = value.type.tensor_type
    return len(tensor.shape.dim) if tensor.HasField("shape") else None


def _shape(value: ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return "of unknown shape"
    return f"[{', '.join(size.dim_param or str(size.dim_value) for size in tensor.shape.dim)}]"


def _widen_inputs(graph: GraphProto) -> None:
    """Make int32 inputs int64, and cast them inside."""
    narrow = [value for value in graph.input if value.type.tensor_type.elem_type == TensorProto.INT32]
    renamed = {value.name: f"{value.name}.int32" for value in narrow}
    for node in parts(graph, NodeProto):
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for value in narrow:
        value.type.tensor_type.elem_type = TensorProto.INT64
        cast = helper.make_node("Cast", [value.name], [renamed[value.name]], to=TensorProto.INT32)
        graph.node.insert(0, cast)
