"""Writes an ONNX file that other tools take, and whose weights a runtime can map into memory in place."""

from pathlib import Path

import onnx
import onnx_ir as ir

from kaprune_edge.export.domain import DOMAIN, IR_VERSION, OPSET, VERSION
from kaprune_edge.export.reading import one_line
from kaprune_runtime.errors import KapruneError
from kaprune_runtime.onnx_file import (
    ALIGNMENT,
    DOC_STRING,
    GRAPH,
    INITIALIZER,
    LEAST_BYTES,
    RAW_DATA,
    Field,
    field,
    fields,
)

__all__ = ["check_onnx", "write_onnx"]


def write_onnx(model: ir.Model, path: Path) -> None:
    """Write a model with every larger weight at a multiple of `ALIGNMENT` bytes.

    - The file is plain ONNX: a doc string of spaces fills the gap before such a weight.
    - The shape of an initializer is not stated a second time: a quantizer that turns weights would find it
      wrong.
    """
    proto = ir.to_proto(model)
    constants = {tensor.name for tensor in proto.graph.initializer}
    computed = [value for value in proto.graph.value_info if value.name not in constants]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(computed)
    data = proto.SerializeToString()
    with path.open("wb") as file:
        for part in fields(data, 0, len(data)):
            if part.number == GRAPH:
                graph = _align(data, part.content, part.end, file.tell() + _HEADER)
                file.write(_header(GRAPH, sum(map(len, graph))))
                file.writelines(graph)
            else:
                file.write(data[part.start : part.end])


def check_onnx(path: Path) -> None:
    """Check that a written file is what the oldest ONNX Runtime that is promised loads.

    Every node must be an operator of `OPSET`, or of ours with its definition, and every type and shape right.

    Raises:
        KapruneError: It is not.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
        model = onnx.load(path)
        versions = {entry.domain: entry.version for entry in model.opset_import}
        if model.ir_version != IR_VERSION or not versions.items() <= {"": OPSET, DOMAIN: VERSION}.items():
            raise ValueError(f"IR version {model.ir_version}, operators {versions}")
    except Exception as error:
        raise KapruneError(
            f"the exported file is not ONNX of opset {OPSET} ({one_line(error)}); nothing was written, "
            "please report this model's architecture and sizes"
        ) from error


_HEADER = 6
"""Bytes of a field's key and length as `_header` writes them."""


def _header(number: int, length: int) -> bytes:
    """Start a field with a length of fixed width, so that what follows can be placed before it is known."""
    return bytes(
        [number << 3 | 2, *(length >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)), length >> 28]
    )


def _align(data: bytes, start: int, end: int, position: int) -> list[bytes]:
    """Copy the graph in data[start:end], which is to lie at `position` in the file."""
    parts = []
    for part in fields(data, start, end):
        copied = [data[part.start : part.end]]
        if part.number == INITIALIZER:
            copied = _align_weights(data, part, position) or copied
        parts += copied
        position += sum(map(len, copied))
    return parts


def _align_weights(data: bytes, tensor: Field, position: int) -> list[bytes] | None:
    """Put a tensor's weights last, where they begin at a multiple; None where there are too few of them."""
    inner = list(fields(data, tensor.content, tensor.end))
    weights = b"".join(data[part.content : part.end] for part in inner if part.number == RAW_DATA)
    if len(weights) < LEAST_BYTES:
        return None
    rest = b"".join(
        data[part.start : part.end] for part in inner if part.number not in (RAW_DATA, DOC_STRING)
    )
    gap = -(position + _HEADER + len(rest) + len(field(DOC_STRING, b"")) + _HEADER) % ALIGNMENT
    content = [rest, field(DOC_STRING, b" " * gap), _header(RAW_DATA, len(weights)), weights]
    return [_header(INITIALIZER, sum(map(len, content))), *content]
