"""What Schemathesis cannot know: photos are photos. Named by ``SCHEMATHESIS_HOOKS``."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import schemathesis
from hypothesis import strategies as st

_EXTENSIONS = (".jpg", ".png", ".webp")


def _picture(extension: str, width: int, height: int) -> bytes:
    pixels = np.full((height, width, 3), 127, np.uint8)
    done, data = cv2.imencode(extension, pixels)
    assert done
    return data.tobytes()


_PICTURES = [_picture(extension, width, 64) for extension in _EXTENSIONS for width in (64, 90)]

schemathesis.openapi.format("binary", st.sampled_from(_PICTURES))
schemathesis.openapi.format("byte", st.sampled_from([base64.b64encode(each).decode() for each in _PICTURES]))


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: object) -> bool:
    """A form has nothing but texts: a name ``false`` is a name, and a list of one entry is sent as that entry."""
    del context
    if not isinstance(body, dict):
        return True
    return isinstance(body.get("name", ""), str) and not isinstance(body.get("options"), list)
