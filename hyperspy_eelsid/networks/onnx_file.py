"""What an ONNX file must not hold: data in other files, loops, and functions of its own.

ONNX Runtime would read the data of a network from whatever file the network names, which its checksum does not
cover, and go round a loop for as long as the network says. The file is a message of Protocol Buffers, of which only
the frame is read here; field numbers are those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _LENGTH = 0, 2
_FIXED_BYTES = {1: 8, 5: 4}

# message -> number of a field -> message that the field holds
_MESSAGES = {
    "Model": {7: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 10: "Tensor", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_REFUSED = {
    "Model": {20: "a training", 25: "functions of its own"},
    "Attribute": {6: "a loop or a branch", 11: "a loop or a branch"},
    "Tensor": {13: "data in another file"},
}


def check(content: bytes) -> None:
    """Raise a ValueError when an ONNX file is none, or is not complete in itself and of a fixed length to run."""
    _check(memoryview(content), "Model")


def _check(message: memoryview, kind: str) -> None:
    refused = _REFUSED.get(kind, {})
    for number, value in _fields(message):
        if number in refused:
            raise ValueError(f"it holds {refused[number]}")
        if number in _MESSAGES[kind] and isinstance(value, memoryview):
            _check(value, _MESSAGES[kind][number])


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == _LENGTH:
            size, position = _varint(message, position)
        elif wire_type in _FIXED_BYTES:
            size = _FIXED_BYTES[wire_type]
        else:
            raise ValueError("it is no ONNX file")
        if position + size > len(message):
            raise ValueError("it is cut off")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position == len(message):
            raise ValueError("it is cut off")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("it is no ONNX file")
