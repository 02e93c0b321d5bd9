"""Puts a face into another by the mesh: the source's texture on the target's geometry, in the target's light.

PreparedFace (source) ─┐
PreparedFace (target) ─┴► align ─► warp ─► colour ─► Layer
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from facefleet.engine.mesh import colour, grain, masks
from facefleet.engine.mesh.align import Alignment, Mouth, align
from facefleet.engine.mesh.burnt import refuse_burnt_out
from facefleet.engine.mesh.covered import refuse_hidden
from facefleet.engine.mesh.exposure import exposed
from facefleet.engine.mesh.eyelids import Eyelids, kept_eyes
from facefleet.engine.mesh.hands import Hands
from facefleet.engine.mesh.motion import find_motion
from facefleet.engine.mesh.noise import noise_of
from facefleet.engine.mesh.noise_layer import with_noise
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.mesh.warp import Lookup, drawn, find_lookup, patch_near
from facefleet.engine.photo_role import SOURCE, TARGET
from facefleet.engine.steps.blend import Layer
from facefleet.engine.steps.practice import practice_portrait
from facefleet.engine.steps.tone import without_colour
from facefleet.engine.swapper import Lap
from facefleet.engine.types import Floats, Pixels, Portrait
from facefleet.options import FuseOptions

BROW_MARGIN = 0.05  # face widths round a brow that comes from the other side
HAIR_EDGE = 1.4  # the soft edge of the source's hair is half hair: it counts for more than it covers


class MeshSwapper:
    """A ``Swapper`` without a learned generator.

    Args:
        eyelids: Tells closed eyes of a source; None: all count as open.
        hands: Finds hands before a face; None: they count only where they stand out as other things do.
    """

    steps = ("align", "warp", "colour")

    def __init__(self, eyelids: Eyelids | None = None, hands: Hands | None = None) -> None:
        self._eyelids = eyelids
        self._hands = hands

    def prepare_source(self, portrait: Portrait) -> PreparedFace:
        """See ``Swapper``.

        Raises:
            FaceOccluded: Too much of the face is hidden by things before it.
            FaceOverexposed: Too much of its skin is burnt out.
        """
        source = _usable(prepare(portrait, replaced=False, hands=self._hands), SOURCE)
        if self._eyelids is None or source.occlusion.eyes_covered:
            return source
        size = source.region.width, source.region.height
        points = source.region.local(source.face.landmarks[:, :2], size)
        return replace(source, eyes_closed=self._eyelids.any_closed(source.patch, points))

    def prepare_target(self, portrait: Portrait) -> PreparedFace:
        """See ``Swapper``; errors as above."""
        return _usable(prepare(portrait, hands=self._hands), TARGET)

    def swap(self, source: PreparedFace, target: PreparedFace, options: FuseOptions, lap: Lap) -> Layer:
        """See ``Swapper``; of the options, ``shape`` counts."""
        alignment = align(source.face, target.face, options.shape)
        lap("align")
        lookup = find_lookup(alignment, target, _brow_from_other_side(source, target))
        region = target.region
        size = region.width, region.height
        full = _three(drawn(patch_near(source, alignment.scale), source, lookup, size))
        if target.has_one_hue:
            full = without_colour(full)
        lap("warp")
        layer = _fitted(full, alignment, lookup, source, target)
        lap("colour")
        return layer

    def warm(self) -> None:
        """See ``Swapper``."""
        if self._eyelids is not None:
            self._eyelids.warm()
        if self._hands is not None:
            self._hands.warm()
        face = prepare(practice_portrait())  # an empty face looks hidden
        self.swap(face, face, FuseOptions(), lambda _: None)


def _usable(face: PreparedFace, photo: str) -> PreparedFace:
    """The face, or a refusal; in black and white, white skin may be paper, and has no colour to lose."""
    refuse_hidden(face.covered, face.face.index, photo)
    if face.grey:
        return face
    refuse_burnt_out(face.below, face.parts, face.occlusion.mask, face.face.index, photo)
    return face


def _fitted(full: Pixels, alignment: Alignment, lookup: Lookup, source: PreparedFace, target: PreparedFace) -> Layer:
    """Colours and mask at the working size, applied to the warped face at full size."""
    warped = drawn(source.small_with_occlusion, source, lookup, target.size)
    small = _three(warped)
    if target.has_one_hue:
        small = without_colour(small)
    occluded = np.minimum(warped[..., 3] * np.float32(HAIR_EDGE / 255), 1)
    hidden = source.occlusion.eyes_covered or (source.covered is not None and source.covered.brows)
    bare = _bare_brows(occluded, hidden, target)
    lit = _lit(full, _light(small, occluded, bare, target))
    lit = _as_photographed(lit, target)
    whole = target.region.width, target.region.height
    points = target.region.local(alignment.geometry, whole)
    share = _share(occluded, bare, alignment.mouth, target) * lookup.visible
    if source.eyes_closed:
        share *= 1 - kept_eyes(target.parts)
    pixels = _grainy(lit, points, target)
    if target.tone is not None:
        pixels = target.tone.coloured(pixels)
    pixels = _behind_glasses(pixels, target)
    return Layer(target.region, pixels, share, target.face, alignment.geometry, target.below, target.tone is not None)


def _as_photographed(pixels: Pixels, target: PreparedFace) -> Pixels:
    """In the target's hard light and exposure, both of which its small image is without."""
    if target.hard_light is not None:
        photo = exposed(target.patch, 1 / target.darker) if target.darker > 1 else target.patch
        pixels = target.hard_light.cast_on(pixels, photo)
    return exposed(pixels, target.darker) if target.darker > 1 else pixels


def _grainy(pixels: Pixels, points: Floats, target: PreparedFace) -> Pixels:
    """As soft and as noisy as the target; ``points`` are those of the drawn face, px of ``pixels``."""
    path = None if target.detail is None else find_motion(target.detail, pixels)
    moved = pixels if path is None else path.blurred(pixels)
    soft = grain.matched(moved, grain.grain_of(moved, points), target.grain)
    if target.noise is None or not target.noise.exceeds(own := noise_of(soft, points)):
        return soft
    return with_noise(soft, own, target.noise, target.patch, target.parts.features)


def _behind_glasses(pixels: Pixels, target: PreparedFace) -> Pixels:
    """With the target's frame in front, at full size: a rim is thinner than a pixel of the working size."""
    if target.glasses is None:
        return pixels
    over = target.glasses.over((target.region.width, target.region.height))
    return np.asarray(cv2.blendLinear(target.patch, pixels, over, 1 - over), np.uint8)


def _light(small: Pixels, occluded: Floats, bare: Floats, target: PreparedFace) -> colour.Relight:
    """The target's light, and its skin where the source has nothing to give."""
    parts, own = target.parts, target.occlusion.mask
    below = without_colour(target.small) if target.tone is not None else target.small
    light = colour.relight(small, below, (1 - np.maximum(occluded, own)) * target.light_weights, parts.width)
    if not bare.any():
        return light
    skin = colour.bare_skin(below, (1 - own) * target.light_weights * (parts.features == 0), parts.width)
    # Of what is shown: the hair below bare skin is gone entirely, or its edge would come back as a line.
    share = bare / np.maximum(1 - occluded + bare, bare + np.float32(1e-6))
    rest = 1 - share
    return colour.Relight(light.gain * rest, light.offset * rest[..., None] + skin * share[..., None])


def _share(occluded: Floats, bare: Floats, mouth: Mouth, target: PreparedFace) -> Floats:
    """How much of each pixel the source's face replaces, at the working size."""
    share = target.paste_mask * (1 - np.maximum(np.clip(occluded - bare, 0, 1), target.occlusion.mask))
    return np.asarray(share * (1 - _kept_mouth(target.parts, mouth)), np.float32)


def _brow_from_other_side(source: PreparedFace, target: PreparedFace) -> Floats | None:
    """``(h, w)``, 1 over the target's brow that is covered by hair in the source, whose other brow goes there.

    None where both brows of the source are free, or the target's hair covers the same one.
    """
    side = source.occlusion.covered_brow
    if side is None or side == target.occlusion.covered_brow:
        return None
    width = target.parts.width
    return masks.softened(target.parts.each_brow[side], BROW_MARGIN * width, 0.5 * BROW_MARGIN * width)


def _three(pixels: Pixels) -> Pixels:
    """Without the fourth channel."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)


def _bare_brows(occluded: Floats, eyes_hidden: bool, target: PreparedFace) -> Floats:
    """Where the source's hair lies over the target's brow: bare skin goes there.

    The source's hair is left out and the target's brow must not come back as a second one. The target's own hair stays.
    """
    if eyes_hidden:  # then the target's eyes stay, and their brows with them
        return np.zeros_like(occluded)
    width = target.parts.width
    brows = masks.softened(target.parts.brows, 0.045 * width, 0.02 * width + 0.3)
    covered = np.clip(2 * occluded - 0.2, 0, 1) * np.clip(2 * brows, 0, 1)
    return np.asarray(covered * np.maximum(1 - 3 * target.occlusion.mask, 0), np.float32)


def _kept_mouth(parts: masks.Parts, mouth: Mouth) -> Floats:
    if mouth is Mouth.SOURCE:
        return np.zeros(parts.mouth.shape, np.float32)
    if mouth is Mouth.INSIDE_KEPT:
        return masks.softened(parts.mouth, 0, 0.01 * parts.width + 0.3)
    return masks.softened(parts.lips, 0.03 * parts.width, 0.02 * parts.width + 0.3)


def _lit(pixels: Pixels, light: colour.Relight) -> Pixels:
    size = pixels.shape[1], pixels.shape[0]
    gain = cv2.resize(light.gain, size, interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(light.offset, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.add(cv2.multiply(pixels, cv2.merge([gain] * 3), dtype=cv2.CV_32F), offset, dtype=cv2.CV_8U), np.uint8
    )
