"""The bytes of an ONNX file: where its weights lie, so that they can be mapped into memory in place.

ONNX Runtime copies the weights of a model file, for a while twice; what a model keeps in external data it
maps instead, and reads from disk what is used. `map_weights` has both: one file, and its weights mapped.
"""

import mmap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

ALIGNMENT = 64
"""Bytes at a multiple of which weights must begin to be mapped: a cache line, and any kernel's vectors."""

LEAST_BYTES = 1024
"""Weights from this size on are mapped; ONNX Runtime looks into smaller ones while it loads."""

GRAPH = 7
INITIALIZER = 5
RAW_DATA = 9
DOC_STRING = 12
_EXTERNAL_DATA = 13
_KEY, _VALUE = 1, 2
_EXTERNAL = bytes([14 << 3, 1])
"""The field data_location, set to EXTERNAL."""
_BYTES = 2

Buffer = bytes | mmap.mmap


class Field(NamedTuple):
    """One field of a protocol buffers message."""

    number: int
    start: int
    """Of its key."""
    content: int
    """Start of its value, without key and length."""
    end: int


def fields(data: Buffer, start: int, end: int) -> Iterator[Field]:
    """Walk the fields of the message in data[start:end].

    Raises:
        ValueError: That is no message.
    """
    while start < end:
        key, content = _varint(data, start)
        match key & 7:
            case 0:
                after = _varint(data, content)[1]
            case 1:
                after = content + 8
            case 2:
                length, content = _varint(data, content)
                after = content + length
            case 5:
                after = content + 4
            case _:
                raise ValueError("no protocol buffers message")
        if after > end:
            raise ValueError("cut short")
        yield Field(key >> 3, start, content, after)
        start = after


def field(number: int, content: bytes) -> bytes:
    """Write a field of bytes, text or a message."""
    return _to_varint(number << 3 | _BYTES) + _to_varint(len(content)) + content


def external_file(model: Path, location: str) -> Path:
    """Find a file with a model's external data.

    Links are followed, since a hub's cache holds nothing else: the file must lie in the folder that names the
    model, or in the one where the model's own file lies.

    Args:
        model: The ONNX file, or a link to it.
        location: What a tensor in it says.

    Returns:
        The file, without links; it need not exist.

    Raises:
        ValueError: The location, or a link, leads out of these folders.
    """
    stated = (PurePosixPath(location), PureWindowsPath(location))
    if not location or any(path.is_absolute() or path.drive or ".." in path.parts for path in stated):
        raise ValueError(f"external data at {location!r}, which is no place in the model's folder")
    folders = (model.parent.resolve(), model.resolve().parent)
    found = next((path for path in (folder / location for folder in folders) if path.exists()), None)
    target = (found or folders[0] / location).resolve()
    if not any(target.is_relative_to(folder) for folder in folders):
        raise ValueError(f"external data at {location!r}, a link that leads out of the model's folder")
    return target


def map_weights(path: Path) -> bytes | None:
    """Rewrite a model so that its weights are external data, which lie in the very file.

    Args:
        path: The ONNX file, or a link to it.

    Returns:
        The rewritten model, to be loaded with the folder of `path.resolve()` as that of external data; or
        None where the file is not laid out for this, be it that it is no ONNX model.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _replace(data, Field(0, 0, 0, len(data)), GRAPH, partial(_map_graph, path))
        except ValueError:
            return None


def _map_graph(path: Path, data: Buffer, graph: Field) -> bytes:
    return field(GRAPH, _replace(data, graph, INITIALIZER, partial(_map_tensor, path)))


def _map_tensor(path: Path, data: Buffer, tensor: Field) -> bytes:
    """Say where a tensor's weights are; ValueError if they are not aligned, or external out of the folder."""
    inner = b"".join(
        _map_raw_data(path.resolve().name, data, part)
        if part.number == RAW_DATA
        else _map_external_data(path, data, part)
        if part.number == _EXTERNAL_DATA
        else data[part.start : part.end]
        for part in fields(data, tensor.content, tensor.end)
    )
    return field(INITIALIZER, inner)


def _map_external_data(path: Path, data: Buffer, entry: Field) -> bytes:
    """Name the file itself where external data is behind a link."""
    texts = {part.number: data[part.content : part.end] for part in fields(data, entry.content, entry.end)}
    if texts.get(_KEY) != b"location":
        return data[entry.start : entry.end]
    file = external_file(path, texts.get(_VALUE, b"").decode())
    return _entry("location", file.relative_to(path.resolve().parent).as_posix())


def _map_raw_data(file: str, data: Buffer, weights: Field) -> bytes:
    length = weights.end - weights.content
    if length < LEAST_BYTES:
        return data[weights.start : weights.end]
    if weights.content % ALIGNMENT:
        raise ValueError("weights are not aligned")
    entries = {"location": file, "offset": str(weights.content), "length": str(length)}
    return b"".join(_entry(key, value) for key, value in entries.items()) + _EXTERNAL


def _entry(key: str, value: str) -> bytes:
    return field(_EXTERNAL_DATA, field(_KEY, key.encode()) + field(_VALUE, value.encode()))


def _replace(data: Buffer, message: Field, number: int, write: Callable[[Buffer, Field], bytes]) -> bytes:
    """Copy a message, its fields of one number as `write` makes them."""
    return b"".join(
        write(data, part) if part.number == number else data[part.start : part.end]
        for part in fields(data, message.content, message.end)
    )


def _varint(data: Buffer, at: int) -> tuple[int, int]:
    """Read a number; tell where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("no number")


def _to_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
