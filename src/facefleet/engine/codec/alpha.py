"""What can't be seen of a photo is not there: not for the search of faces, not for a fusion, not in the result.

Eraser tools leave the colours of what they removed under an alpha of 0, or of nearly 0 with a soft brush. There the
colours of what can be seen are continued, so that a face at the edge of a cut-out has no hard rim.
"""

from __future__ import annotations

import cv2
import numpy as np

from facefleet.engine.types import Floats, Pixels

FAINT = 8  # of 255; less than this nobody sees, whatever lies behind it
_OWN = 128  # from this alpha on a source's colours are its own; below they fade into those round them
_FILL_SIDE = 512  # px, long side of the copy in which colours are continued
_STRIP_ROWS = 256
_WHITE = 255


def hide(pixels: Pixels, alpha: Pixels) -> None:
    """Continue visible colours, in place, over what can't be seen.

    Args:
        pixels: ``(H, W, 3)`` uint8 BGR.
        alpha: ``(H, W)`` uint8.
    """
    if int(alpha.min()) < FAINT:
        np.copyto(pixels, continued(pixels, alpha), where=(alpha < FAINT)[:, :, None])


def continued(pixels: Pixels, alpha: Pixels) -> Pixels:
    """``(H, W, 3)`` uint8: visible colours, blurred, continued over all; white where there are none."""
    height, width = alpha.shape
    scale = min(1.0, _FILL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    seen = alpha >= FAINT
    shown = cv2.bitwise_and(pixels, pixels, mask=np.asarray(seen, np.uint8))
    share = np.asarray(cv2.resize(np.asarray(seen, np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
    colours = np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA), np.float32)
    filled = np.asarray(_pulled(colours, share) + 0.5, np.uint8)
    return np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _pulled(colours: Floats, share: Floats) -> Floats:
    """Where nothing is seen, the mean of what is seen near by: from ever coarser copies (push-pull)."""
    height, width = share.shape
    own = colours / np.maximum(share, 1e-6)[:, :, None]
    if max(height, width) == 1:
        return np.asarray(own if share[0, 0] > 0 else np.full_like(own, _WHITE), np.float32)
    size = (width + 1) // 2, (height + 1) // 2
    coarse = _pulled(
        np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.float32).reshape(size[1], size[0], 3),
        np.asarray(cv2.resize(share, size, interpolation=cv2.INTER_AREA), np.float32).reshape(size[1], size[0]),
    )
    below = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    full = np.minimum(1.0, 4 * share)[:, :, None]
    return np.asarray(full * own + (1 - full) * below.reshape(height, width, 3), np.float32)


def on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """``(H, W, 3)`` uint8: the photo as a white page shows it, what is too faint to be seen left out."""
    shown = np.where(alpha < FAINT, np.uint8(0), alpha)
    return _mixed(pixels, np.full((1, 1, 3), _WHITE, np.uint8), shown)


def opaque(pixels: Pixels, alpha: Pixels) -> Pixels:
    """``(H, W, 3)`` uint8: the photo to take a face from; its own colours where it covers at least by half."""
    if int(alpha.min()) >= _OWN:
        return pixels
    own = np.asarray(np.minimum(alpha.astype(np.uint16) * 2, 255), np.uint8)
    return _mixed(pixels, continued(pixels, alpha), own)


def cleared(pixels: Pixels, alpha: Pixels) -> Pixels:
    """``(H, W, 4)`` uint8 BGRA to be written: under an alpha of 0 there is black, and nothing else."""
    merged = np.asarray(cv2.merge([*cv2.split(pixels), alpha]), np.uint8)
    merged[alpha == 0] = 0
    return merged


def _mixed(above: Pixels, below: Pixels, alpha: Pixels) -> Pixels:
    mixed = np.empty_like(above)
    for top in range(0, above.shape[0], _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        share = np.asarray(alpha[rows, :, None], np.float32) / 255
        under = np.asarray(below if below.shape[0] == 1 else below[rows], np.float32)
        mixed[rows] = share * above[rows] + (1 - share) * under + 0.5
    return mixed
