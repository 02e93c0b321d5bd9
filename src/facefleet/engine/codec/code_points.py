"""Colours told by code points of ITU-T H.273, as PNG's ``cICP`` chunk and the ``nclx`` box of AVIF carry them."""

from __future__ import annotations

import numpy as np

from facefleet.engine.codec.light import Curve, Light, Matrix
from facefleet.engine.codec.png_colour import colorants
from facefleet.engine.types import Floats

SRGB_PRIMARIES, SRGB_TRANSFER = 1, 13
UNKNOWN = 2
VIDEO_CURVES = (1, 6, 14, 15)  # BT.709, BT.601, BT.2020 of 10 and 12 bits: one curve
_PAPER_NITS = 203.0  # diffuse white of HDR (ITU-R BT.2408)
_HLG_PEAK_NITS, _HLG_SYSTEM_GAMMA = 1000.0, 1.2
_D65, _C, _DCI, _E = (0.3127, 0.329), (0.31, 0.316), (0.314, 0.351), (1 / 3, 1 / 3)
_P3 = (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)
_PRIMARIES = {  # H.273, table 2: white, red, green, blue
    1: (_D65, (0.64, 0.33), (0.3, 0.6), (0.15, 0.06)),
    4: (_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (_D65, (0.64, 0.33), (0.29, 0.6), (0.15, 0.06)),
    6: (_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    7: (_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    8: (_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (_D65, (0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
    11: (_DCI, *_P3),
    12: (_D65, *_P3),
    22: (_D65, (0.63, 0.34), (0.295, 0.605), (0.155, 0.077)),
}
_BT2020_LUMA = np.array([0.0593, 0.678, 0.2627], np.float32)  # of BGR


def light_of(primaries: int, transfer: int, *, full_range: bool = True, bits: int = 8) -> Light | None:
    """How to read colours of these code points; none where they are not known here.

    Args:
        primaries: Code point of the colour primaries.
        transfer: Code point of the transfer function.
        full_range: Whether all values are used, or those of video from 16 to 235.
        bits: Of a stored value, for the range of video.
    """
    curve, places = _CURVES.get(transfer), _PRIMARIES.get(primaries)
    if curve is None or places is None:
        return None
    own = curve if full_range else _from_video(curve, bits)
    scene = _hlg_on_display if transfer == _HLG else None
    return Light((own,), _to_srgb_primaries(primaries), bright=transfer in (_PQ, _HLG), scene=scene)


def means_srgb(primaries: int, transfer: int, *, full_range: bool = True) -> bool:
    """Whether nothing need be done."""
    return primaries == SRGB_PRIMARIES and transfer == SRGB_TRANSFER and full_range


def _to_srgb_primaries(primaries: int) -> Matrix | None:
    if primaries == SRGB_PRIMARIES:
        return None
    own, srgb = (colorants(np.array(_PRIMARIES[each])) for each in (primaries, SRGB_PRIMARIES))
    assert own is not None  # noqa: S101 - none of the table is degenerate
    assert srgb is not None  # noqa: S101
    return np.asarray(np.linalg.solve(srgb, own))


def _from_video(curve: Curve, bits: int) -> Curve:
    step = 1 << (bits - 8)
    top = (1 << bits) - 1
    return lambda value: curve(np.clip((value * top - 16 * step) / (219 * step), 0, 1))


def _power(exponent: float) -> Curve:
    return lambda value: value**exponent


def _srgb(value: Matrix) -> Matrix:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _video(value: Matrix) -> Matrix:
    """ITU-R BT.709 and BT.2020, the camera's curve undone."""
    return np.where(value < 0.081, value / 4.5, ((value + 0.099) / 1.099) ** (1 / 0.45))


def _smpte_240(value: Matrix) -> Matrix:
    return np.where(value < 0.0913, value / 4, ((value + 0.1115) / 1.1115) ** (1 / 0.45))


def _pq(value: Matrix) -> Matrix:
    """SMPTE ST 2084, in units of white paper."""
    root = value ** (1 / 78.84375)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.asarray(10_000 / _PAPER_NITS * light ** (1 / 0.1593017578125))


def _hlg(value: Matrix) -> Matrix:
    """ITU-R BT.2100 hybrid log-gamma: light of the scene, 0 to 1."""
    log = (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(value <= 0.5, value**2 / 3, log)


def _hlg_on_display(scene: Floats) -> Floats:
    """Light of a display of 1,000 nits, in units of white paper (ITU-R BT.2100, table 5)."""
    luma = np.maximum(scene @ _BT2020_LUMA, 1e-6)[:, :, None]
    return np.asarray(scene * luma ** (_HLG_SYSTEM_GAMMA - 1) * (_HLG_PEAK_NITS / _PAPER_NITS), np.float32)


_PQ, _HLG = 16, 18
_CURVES: dict[int, Curve] = {  # H.273, table 3
    **dict.fromkeys(VIDEO_CURVES, _video),
    4: _power(2.2), 5: _power(2.8), 7: _smpte_240, 8: _power(1.0), SRGB_TRANSFER: _srgb, _PQ: _pq, 17: _power(2.6),
    _HLG: _hlg,
}  # fmt: skip
