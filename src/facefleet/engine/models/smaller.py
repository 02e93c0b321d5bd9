"""Rewrites a convolutional LiteRT model for a smaller input, which costs less in the square of the side.

Convolutions take any size; what is fixed are the sizes to which feature maps are enlarged. They are constants of the
file, and shrink by the same factor. Inputs are resized when the model is loaded (``litert.py``).
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema


def for_side(weights: bytes, side: int) -> bytes:
    """The same model with feature maps for square images of another side.

    Args:
        weights: Of a ``.tflite`` file whose first input is ``(1, own side, own side, C)``.
        side: px, such that all feature maps keep whole sides.

    Raises:
        ValueError: Some feature map would have no whole side.
    """
    model = schema.Model.GetRootAs(weights, 0)
    graph = model.Subgraphs(0)
    own = int(graph.Tensors(graph.Inputs(0)).Shape(1))
    start = np.frombuffer(weights, np.uint8).ctypes.data
    changed = bytearray(weights)
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        if code != schema.BuiltinOperator.RESIZE_BILINEAR:
            continue
        constant = model.Buffers(graph.Tensors(operator.Inputs(1)).Buffer()).DataAsNumpy()
        place = constant.ctypes.data - start
        changed[place : place + constant.nbytes] = _scaled(constant.view("<i4"), side, own).tobytes()
    return bytes(changed)


def _scaled(sizes: np.ndarray, side: int, own: int) -> np.ndarray:
    if (sizes * side % own).any():
        raise ValueError(f"Feature maps of {sizes.tolist()} px do not shrink to an input of {side} px from {own} px.")
    return np.asarray(sizes * side // own, "<i4")
