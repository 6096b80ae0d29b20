"""An ONNX file made by anyone, read whole: with its external data, and links followed."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import ModelProto, NodeProto, TensorProto, external_data_helper, numpy_helper

from kaprune_runtime.errors import InputError
from kaprune_runtime.onnx_file import external_file

__all__ = ["LARGEST_FILE", "one_line", "parts", "read_onnx"]

LARGEST_FILE = 2**31 - 1
"""Bytes that one ONNX file can hold without external data."""

MessageT = TypeVar("MessageT", bound=Message)

_LFS_POINTER = b"version https://git-lfs"


def read_onnx(path: Path) -> ModelProto:
    """Read a model with all its weights inside it, and none of them sparse.

    Args:
        path: The file, or a link to it; external data lies beside it, or beside the file itself.

    Raises:
        InputError: It is missing, no ONNX, damaged, too large, or its external data is missing or elsewhere.
    """
    model = _parse(path)
    _load_external_data(model, path)
    model.graph.initializer.extend(map(_dense, model.graph.sparse_initializer))
    del model.graph.sparse_initializer[:]
    del model.training_info[:]
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise InputError(f"{path} is not valid ONNX ({one_line(error)}); export it again") from error
    return model


def parts(message: Message, kind: type[MessageT]) -> Iterator[MessageT]:
    """Find all messages of one kind in another: a graph's nodes or tensors, and those of graphs in nodes."""
    for described, content in message.ListFields():
        if described.message_type is None:
            continue
        for part in [content] if isinstance(content, Message) else content:
            if isinstance(part, kind):
                yield part
            yield from parts(part, kind)


def one_line(error: Exception) -> str:
    """Give an error's text as one line of moderate length."""
    return " ".join(str(error).split())[:200]


def _parse(path: Path) -> ModelProto:
    """Read the file alone."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the ONNX file in it")
    if not path.is_file():
        raise InputError(f"{path} does not exist; name an ONNX file")
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{path} holds more than 2 GB of weights; that is not supported")
    content = _content(path)
    if not content:
        raise InputError(f"{path} is empty; copy it again")
    if content.startswith(_LFS_POINTER):
        raise InputError(f"{path} is a git-lfs pointer, not the model; run `git lfs pull` there")
    try:
        model = ModelProto.FromString(content)
    except DecodeError as error:
        raise InputError(f"{path} is no ONNX file, or is damaged or cut short; copy it again") from error
    if not model.HasField("graph"):
        raise InputError(f"{path} is no ONNX file; name one")
    if model.ir_version > onnx.IR_VERSION:
        raise InputError(
            f"{path} has IR version {model.ir_version}, and onnx {onnx.__version__} reads up to "
            f"{onnx.IR_VERSION}; export it with an older version, or upgrade onnx"
        )
    for named in (*model.opset_import, *parts(model, NodeProto)):
        named.domain = "" if named.domain == "ai.onnx" else named.domain
    return model


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error


class _Place(NamedTuple):
    """Where a tensor's bytes are."""

    file: Path
    location: str
    offset: int
    length: int | None

    @classmethod
    def of(cls, tensor: TensorProto, model: Path) -> "_Place":
        """Read what a tensor says; ValueError or KeyError where that is no place beside the model."""
        stated = {entry.key: entry.value for entry in tensor.external_data}
        location, offset, length = stated["location"], stated.get("offset"), stated.get("length")
        file = external_file(model, location)
        place = cls(file, location, int(offset or 0), int(length) if length else None)
        if min(place.offset, place.length or 0) < 0:
            raise ValueError("external data before the beginning of its file")
        return place


def _load_external_data(model: ModelProto, path: Path) -> None:
    """Put external data into the tensors themselves."""
    outside = [
        tensor for tensor in parts(model, TensorProto) if external_data_helper.uses_external_data(tensor)
    ]
    try:
        places = [_Place.of(tensor, path) for tensor in outside]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} names {one_line(error)}; save it with its data beside it") from error
    if missing := sorted(place.location for place in places if not place.file.is_file()):
        raise InputError(f"{path} lacks its external data {missing[0]}; put that file beside it")
    files = {place.file for place in places}
    if sum(file.stat().st_size for file in (path, *files)) > LARGEST_FILE:
        raise InputError(f"{path} holds more than 2 GB of weights; that is not supported")
    contents = {file: _content(file) for file in files}
    for tensor, place in zip(outside, places, strict=True):
        content = contents[place.file]
        end = len(content) if place.length is None else place.offset + place.length
        if max(place.offset, end) > len(content):
            raise InputError(f"{place.location} of {path} is cut short; copy it again")
        tensor.raw_data = content[place.offset : end]
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _dense(sparse: onnx.SparseTensorProto) -> TensorProto:
    """Write out a sparse tensor."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    content = np.zeros(tuple(sparse.dims), values.dtype)
    content[tuple(indices.T) if indices.ndim == 2 else np.unravel_index(indices, content.shape)] = values
    return numpy_helper.from_array(content, sparse.values.name)
