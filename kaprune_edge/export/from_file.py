"""ONNX files made by anyone, brought to the form that the passes expect."""

import contextlib
import tempfile
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import (
    ClearMetadataAndDocStringPass,
    IdentityEliminationPass,
    RemoveUnusedNodesPass,
)
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from onnxscript import optimizer, version_converter

from kaprune_edge.export.domain import DOMAIN, OPSET
from kaprune_edge.export.passes.fuse_gelu import FuseGelu
from kaprune_edge.export.passes.fuse_layer_norm import FuseLayerNorm
from kaprune_edge.export.passes.simplify_reshape import SimplifyReshape
from kaprune_edge.export.quiet import quiet
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import QUESTIONS, TEXT, TOKENS
from kaprune_runtime.session import ANSWER_OUTPUTS

__all__ = ["LARGEST_FILE", "load_onnx"]

LARGEST_FILE = 2**31 - 1
"""Bytes that one ONNX file can hold without external data."""

_OUTPUTS = {
    TEXT: (1, 2, "one output of [batch, labels]; export a sequence classifier"),
    TOKENS: (1, 3, "one output of [batch, length, labels]; export a token classifier"),
    QUESTIONS: (2, 2, "two outputs, start and end of [batch, length]; export a model for question answering"),
}
"""Kind -> number and rank of the outputs, and what to do."""
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_NOT_FLOAT32 = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)


def load_onnx(path: Path, kind: str = TEXT) -> ir.Model:
    """Read a model with one of the known heads, convert its opset and fold its constants.

    Args:
        path: The file; external data lies beside it.
        kind: What the model is for, as its config.json says.

    Raises:
        InputError: It is missing, damaged, quantized, not float32, of fixed size, or not of that kind.
    """
    model = _read(path)
    _check(model, path, kind)
    try:
        with quiet("onnxscript"):
            version_converter.convert_version(model, OPSET, fallback=True)
        ir.passes.PassManager([IdentityEliminationPass(), FuseLayerNorm(), FuseGelu()])(model)
        optimizer.optimize(model, input_size_limit=LARGEST_FILE, output_size_limit=LARGEST_FILE)
    except Exception as error:
        raise _refused(path, f"cannot be brought to opset {OPSET} ({_one_line(error)})") from error
    ClearMetadataAndDocStringPass()(model)
    names = ANSWER_OUTPUTS if kind == QUESTIONS else ("logits",)
    for value, name in zip(model.graph.outputs, names, strict=True):
        value.name = name
    model.ir_version = 10
    model = _with_shapes(model)
    ir.passes.PassManager([SimplifyReshape(), RemoveUnusedNodesPass()])(model)
    return model


def _read(path: Path) -> ir.Model:
    if not path.is_file():
        raise InputError(f"{path} does not exist; name an ONNX file")
    try:
        onnx.checker.check_model(str(path))
        model = onnx.load(path)
    except Exception as error:
        raise InputError(
            f"{path} is damaged, cut short or lacks its external data ({_one_line(error)}); copy it again"
        ) from error
    if model.ByteSize() > LARGEST_FILE:
        raise InputError(f"{path} holds more than 2 GB of weights; that is not supported")
    return ir.serde.deserialize_model(model)


def _with_shapes(model: ir.Model) -> ir.Model:
    """Infer shapes by ONNX Runtime's symbolic inference, which knows the head count of exported masks.

    Where it fails, it writes a file into the current folder; the model stays as it is.
    """
    with tempfile.TemporaryDirectory() as litter, contextlib.chdir(litter):
        try:
            inferred = SymbolicShapeInference.infer_shapes(ir.serde.serialize_model(model), auto_merge=True)
        except Exception:
            return model
    return ir.serde.deserialize_model(inferred)


def _check(model: ir.Model, path: Path, kind: str) -> None:
    """Refuse what the passes or the runtime cannot take."""
    graph, operators = model.graph, {(node.domain, node.op_type) for node in model.graph.all_nodes()}
    if any(domain == DOMAIN for domain, _ in operators):
        raise _refused(path, "was exported by kaprune-edge already")
    if quantized := sorted(name for _, name in operators if _is_quantized(name)):
        raise _refused(path, f"is quantized ({quantized[0]}); give the float32 model")
    if foreign := sorted(f"{domain}::{name}" for domain, name in operators if domain not in ("", "ai.onnx")):
        raise _refused(
            path, f"has {foreign[0]}, which is no standard ONNX; give the file before optimization"
        )
    if any(value.dtype in _NOT_FLOAT32 for value in graph.initializers.values()):
        raise _refused(path, "has weights that are not float32; export it in float32")
    names = {value.name or "" for value in graph.inputs}
    if not {"input_ids", "attention_mask"} <= names <= _INPUTS:
        raise _refused(
            path, f"takes {', '.join(sorted(names))}; a text encoder takes input_ids, attention_mask"
        )
    if any(value.dtype != ir.DataType.INT64 for value in graph.inputs):
        raise _refused(path, "has inputs that are not int64; export it with int64 inputs")
    if any(isinstance(size, int) for value in graph.inputs for size in value.shape or ()):
        raise _refused(path, "has a fixed batch or length; export it with dynamic axes")
    ranks = [value.shape.rank() for value in graph.outputs if value.shape is not None]
    count, rank, advice = _OUTPUTS[kind]
    if len(graph.outputs) != count or any(found != rank for found in ranks):
        raise _refused(path, f"does not have {advice}")


def _is_quantized(op_type: str) -> bool:
    return any(
        mark in op_type for mark in ("QuantizeLinear", "QLinear", "Integer", "NBits", "QMoE", "QAttention")
    )


def _refused(path: Path, reason: str) -> InputError:
    return InputError(f"{path} {reason}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
