"""ONNX files made by anyone, brought to the form that the passes expect."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx_ir as ir
from onnx import ModelProto, NodeProto, TensorProto, inliner, numpy_helper
from onnx_ir.passes.common import (
    ClearMetadataAndDocStringPass,
    IdentityEliminationPass,
    RemoveUnusedNodesPass,
)
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from onnxscript import optimizer

from kaprune_edge.export.domain import DOMAIN, IR_VERSION, OPSET
from kaprune_edge.export.finite import check_finite
from kaprune_edge.export.interface import OUTPUTS, settle
from kaprune_edge.export.opset import convert
from kaprune_edge.export.parity import Reference
from kaprune_edge.export.passes.fuse_gelu import FuseGelu
from kaprune_edge.export.passes.fuse_layer_norm import FuseLayerNorm
from kaprune_edge.export.passes.simplify_reshape import SimplifyReshape
from kaprune_edge.export.quiet import quiet
from kaprune_edge.export.reading import LARGEST_FILE, one_line, parts, read_onnx
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT

__all__ = ["OnnxSource", "load_onnx"]

_NOT_FLOAT32 = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_QUANTIZED = ("QuantizeLinear", "QLinear", "Integer", "NBits", "QMoE", "QAttention")


class OnnxSource(NamedTuple):
    """A file's graph, and the file itself as it answers."""

    model: ir.Model
    reference: Reference


def load_onnx(path: Path, kind: str = TEXT) -> OnnxSource:
    """Read a model with one of the known heads, convert its opset and fold its constants.

    Args:
        path: The file; external data lies beside it.
        kind: What the model is for, as its config.json says.

    Raises:
        InputError: It is missing, damaged, quantized, not float32, of fixed size, of another kind, or too new
            to be brought to a deployment's opset.
    """
    read = _standard(read_onnx(path), path)
    interface = settle(read.graph, path, kind)
    check_finite(_weights(read), path.name)
    model = convert(read, path)
    try:
        with quiet("onnxscript"):
            ir.passes.PassManager([IdentityEliminationPass(), FuseLayerNorm(), FuseGelu()])(model)
            optimizer.optimize(model, input_size_limit=LARGEST_FILE, output_size_limit=LARGEST_FILE)
    except Exception as error:
        raise InputError(f"{path} cannot be simplified ({one_line(error)}); export it again") from error
    ClearMetadataAndDocStringPass()(model)
    _name_outputs(model, OUTPUTS[kind])
    model.ir_version = IR_VERSION
    model.opset_imports.clear()
    model.opset_imports[""] = OPSET
    model = _with_shapes(model)
    ir.passes.PassManager([SimplifyReshape(), RemoveUnusedNodesPass()])(model)
    return OnnxSource(model, interface.reference(path))


def _standard(model: ModelProto, path: Path) -> ModelProto:
    """Write out the functions that a model brings; refuse all but float32 and standard operators."""
    if any(node.domain == DOMAIN for node in parts(model, NodeProto)):
        raise InputError(f"{path} was exported by kaprune-edge already; give what that was made from")
    if model.functions:
        model = inliner.inline_local_functions(model, True)
    operators = sorted({(node.domain, node.op_type) for node in parts(model, NodeProto)})
    for domain, name in operators:
        if any(mark in name for mark in _QUANTIZED):
            raise InputError(f"{path} is quantized ({name}); give the float32 model")
        if domain:
            raise InputError(
                f"{path} has {domain}::{name}, which is no standard ONNX; give the file before optimization"
            )
    if any(tensor.data_type in _NOT_FLOAT32 for tensor in model.graph.initializer):
        raise InputError(f"{path} has weights that are not float32; export it in float32")
    return model


def _weights(model: ModelProto) -> Iterator[tuple[str, np.ndarray]]:
    return ((tensor.name, numpy_helper.to_array(tensor)) for tensor in parts(model, TensorProto))


def _name_outputs(model: ir.Model, names: tuple[str, ...]) -> None:
    """Give the outputs their names, which other values must not have."""
    inner = {value.name: value for node in model.graph.all_nodes() for value in node.outputs}
    for output, name in zip(model.graph.outputs, names, strict=True):
        if (other := inner.get(name)) is not None and other is not output:
            other.name = f"{name}.inner"
        output.name = name


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
