"""What of a source is not given."""

from __future__ import annotations

import numpy as np

from facefleet.engine.steps import masks
from facefleet.engine.steps.swap import practice_portrait


def test_the_forehead_beside_hair_is_not_given_and_the_outline_of_the_face_is() -> None:
    portrait = practice_portrait()
    parts = masks.parts_of(portrait.face.landmarks, (256, 256))
    brow = int(np.flatnonzero(parts.brows.any(axis=1))[0])
    hair = np.zeros((256, 256), np.uint8)
    hair[: brow - 20] = 255  # across the forehead
    hair[:, : int(np.flatnonzero(parts.face.any(axis=0))[0]) + 12] = 255  # and down beside the face
    wide = masks.with_shadow(hair, parts)
    reach = round(masks.SHADOW * parts.width)
    assert reach >= 2
    assert (wide[brow - 20 : brow - 20 + reach, 128] == 255).all()
    assert wide[brow - 20 + reach, 128] == 0, "and no further"
    below = parts.lower > 0
    assert (wide[below] == hair[below]).all()
    eyes = parts.features > 0
    assert (wide[eyes] == hair[eyes]).all()
