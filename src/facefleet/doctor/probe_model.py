"""Builds a small ONNX model, a convolution and a matrix product, without any file and without the package onnx.

The two need what deep models need of a GPU's libraries (cuDNN, cuBLAS). The bytes are Protocol Buffers' wire format of
onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), whose field numbers stand below.
"""

from __future__ import annotations

import struct

SIDE = 4  # px; the input is (1, 1, 4, 4) float32
# Of an input of ones: the convolution counts each pixel's neighbours, and the product is of that with itself.
EXPECTED = (
    (104.0, 156.0, 156.0, 104.0),
    (156.0, 234.0, 234.0, 156.0),
    (156.0, 234.0, 234.0, 156.0),
    (104.0, 156.0, 156.0, 104.0),
)
_IR_VERSION, _OPSET = 8, 17
_FLOAT, _INTS = 1, 7  # TensorProto.DataType, AttributeProto.AttributeType
_KERNEL = (1, 1, 3, 3)


def probe_model() -> bytes:
    """The model: input ``x``, output ``y``."""
    shape = (1, 1, SIDE, SIDE)
    graph = (
        _field(1, _node("Conv", ("x", "w"), "c") + _field(5, _pads()))
        + _field(1, _node("MatMul", ("c", "c"), "y"))
        + _field(2, "probe")
        + _field(5, _ones("w"))
        + _field(11, _value("x", shape))
        + _field(12, _value("y", shape))
    )
    return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, _field(2, _OPSET))


def _node(operator: str, inputs: tuple[str, ...], output: str) -> bytes:
    """NodeProto: input 1, output 2, name 3, op_type 4, attribute 5."""
    names = b"".join(_field(1, name) for name in inputs)
    return names + _field(2, output) + _field(3, operator.lower()) + _field(4, operator)


def _pads() -> bytes:
    """AttributeProto: name 1, ints 8, type 20."""
    return _field(1, "pads") + _field(8, b"\x01" * 4) + _field(20, _INTS)


def _ones(name: str) -> bytes:
    """TensorProto: dims 1, data_type 2, name 8, raw_data 9."""
    count = _KERNEL[2] * _KERNEL[3]
    dims, data = _field(1, bytes(_KERNEL)), struct.pack(f"<{count}f", *[1.0] * count)
    return dims + _field(2, _FLOAT) + _field(8, name) + _field(9, data)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    """ValueInfoProto: name 1, type 2, in it tensor_type 1: elem_type 1, shape 2, in that each dim 1: dim_value 1."""
    dims = b"".join(_field(1, _field(1, length)) for length in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, dims)))


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all bytes but the last have the eighth bit set."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + _varint(rest)
