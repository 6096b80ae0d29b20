"""Bringing a graph to the opset of every deployment, which the oldest ONNX Runtime that is promised runs."""

from functools import cache
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
from onnx import ModelProto, NodeProto, inliner
from onnxscript import version_converter

from kaprune_edge.export.domain import OPSET
from kaprune_edge.export.quiet import quiet
from kaprune_edge.export.reading import one_line, parts
from kaprune_runtime.errors import InputError

__all__ = ["convert"]


def convert(model: ModelProto, path: Path) -> ir.Model:
    """Convert a model of standard operators to `OPSET`.

    An operator that is newer becomes the function by which ONNX defines it, where there is one: Attention and
    RMSNormalization have one.

    Args:
        model: Any opset.
        path: Of its file.

    Raises:
        InputError: An operator cannot be brought there; the message names it.
    """
    stated = [entry.version for entry in model.opset_import if not entry.domain]
    version = max(stated, default=OPSET)
    try:
        if version > onnx.defs.onnx_opset_version():
            raise ValueError(f"onnx {onnx.__version__} knows opsets up to {onnx.defs.onnx_opset_version()}")
        written_out = _write_out_newer(model, version)
        if newer := _newer(written_out):
            raise ValueError(f"{newer[0]} is newer")
        converted = ir.serde.deserialize_model(written_out)
        with quiet("onnxscript"):
            version_converter.convert_version(converted, OPSET, fallback=True)
        if converted.opset_imports.get("") != OPSET:
            raise ValueError("onnx has no conversion for it")
        onnx.checker.check_model(ir.serde.serialize_model(converted))
    except Exception as error:
        raise InputError(
            f"{path} has opset {version} and cannot be brought to opset {OPSET} ({one_line(error)}); export "
            f"it with opset {OPSET} or lower"
        ) from error
    return converted


def _write_out_newer(model: ModelProto, version: int) -> ModelProto:
    """Put ONNX's own definition in place of each operator that is newer than `OPSET`, and of those in it."""
    while defined := [name for name in _newer(model) if _is_defined(name, version)]:
        names = [("", name) for name in defined]
        model = inliner.inline_selected_functions(model, names, inline_schema_functions=True)
        if set(_newer(model)) >= set(defined):
            break
    return model


def _newer(model: ModelProto) -> list[str]:
    """Name the operators that `OPSET` does not have."""
    names = {node.op_type for node in parts(model, NodeProto) if not node.domain}
    return sorted(name for name in names if not onnx.defs.has(name, OPSET))


@cache
def _is_defined(name: str, version: int) -> bool:
    schema: Any = onnx.defs.get_schema(name, version)
    return schema.has_function or schema.has_context_dependent_function
