"""Counts how often closed eyes of a source are told from open ones: python -m benchmarks.quality.eyes.

Eyes are closed in sample photos: the skin above an eye is pulled down over it and ends in lashes. Lids are painted,
with liner round the eye, before they are closed or left open. Faces are searched for anew in the finished photo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from benchmarks.quality.exposure import Person, people

from facefleet import config
from facefleet.engine.build import IRIS, build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.eyelids import SMALL, Eyelids
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.models.registry import Registry
from facefleet.engine.types import Face, Floats, Pixels, Portrait

UPPER = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
LOWER = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
LID = 0.3  # eye widths above the eye from which skin is pulled down
LASHES = 0.05  # eye widths
SHADOW = 0.8  # share of painted lids that is paint
PAINTS = (None, (40, 25, 35), (110, 60, 120), (60, 110, 160))  # BGR
LASH, LINER = (18, 16, 22), (15, 13, 17)  # BGR
CLOSED = ((), (0, 1), (0,), (1,))
SIZES = (60, 40, 28, 16)  # px, width of an eye; photos are never made larger


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """The surroundings of an eye, turned level; the eye is half as wide as they are.

    Attributes:
        part: ``(h, w, 3)`` uint8 BGR.
        turn: ``(2, 3)`` affine from the photo.
        upper: ``(1, w)`` float32, row of the upper lid in each column.
        lower: Of the lower lid.
    """

    part: Pixels
    turn: Floats
    upper: Floats
    lower: Floats

    @classmethod
    def of(cls, pixels: Pixels, face: Face, eye: int) -> Upright:
        """Of the right eye, 0, or the left one, 1."""
        ends = face.landmarks[[UPPER[eye][0], UPPER[eye][-1]], :2]
        left, right = ends if eye == 0 else ends[::-1]
        width = max(8.0, float(np.linalg.norm(right - left)))
        size = round(2 * width), round(1.6 * width)
        cos, sin = ((right - left) / width).tolist()
        turn = np.array([[cos, sin], [-sin, cos]], np.float32)
        middle = np.array([size[0] / 2, size[1] * 0.6], np.float32)
        onto = np.asarray(np.hstack([turn, (middle - turn @ ((left + right) / 2))[:, None]]), np.float32)
        part = np.asarray(cv2.warpAffine(pixels, onto, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        return cls(
            part, onto, *(_rows(face.landmarks[list(line), :2], onto, size[0]) for line in (UPPER[eye], LOWER[eye]))
        )

    @property
    def width(self) -> float:
        """Of the eye, px."""
        return float(self.part.shape[1] / 2)

    def laid(self, pixels: Pixels, drawn: Floats) -> Pixels:
        """The photo with these surroundings drawn anew."""
        height, width = drawn.shape[:2]
        rim = max(2, width // 12)
        share = np.zeros((height, width), np.float32)
        share[rim:-rim, rim:-rim] = 1
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), rim / 3), np.float32)
        back, size = cv2.invertAffineTransform(self.turn), (pixels.shape[1], pixels.shape[0])
        whole = cv2.warpAffine(np.asarray(np.clip(drawn, 0, 255), np.uint8), back, size)
        over = cv2.warpAffine(share, back, size)[..., None]
        return np.asarray(np.round(pixels * (1 - over) + whole * over), np.uint8)


def closed(pixels: Pixels, face: Face, eye: int) -> Pixels:
    """The photo with one eye closed."""
    there = Upright.of(pixels, face, eye)
    rows, columns = (np.asarray(each, np.float32) for each in np.indices(there.part.shape[:2]))
    high = there.upper - LID * there.width
    pulled = high + (rows - high) * (there.upper - high) / np.maximum(there.lower - high, 1e-3)
    inside = (rows > high) & (rows < there.lower)
    lid = cv2.remap(there.part, columns, np.where(inside, pulled, rows).astype(np.float32), cv2.INTER_LINEAR)
    opening = np.clip((there.lower - there.upper) / (0.03 * there.width), 0, 1)
    lashes = 0.75 * opening * np.exp(-(((rows - there.lower) / (LASHES * there.width)) ** 2))
    return there.laid(pixels, _painted(np.asarray(lid, np.float32), LASH, lashes))


def made_up(pixels: Pixels, face: Face, eye: int, paint: tuple[int, int, int]) -> Pixels:
    """The photo with paint on one lid and liner round the eye; the eye itself stays."""
    there = Upright.of(pixels, face, eye)
    rows = np.indices(there.part.shape[:2])[0].astype(np.float32)
    upper, lower, width = there.upper, there.lower, there.width
    taper = np.clip((lower - upper) / (0.04 * width), 0, 1)
    shadow = SHADOW * taper * np.clip((rows - upper + 0.3 * width) / (0.2 * width), 0, 1) * (rows < upper)
    liner = np.exp(-(((rows - upper) / (0.035 * width)) ** 2)) + 0.7 * np.exp(
        -(((rows - lower) / (0.025 * width)) ** 2)
    )
    lid = _painted(np.asarray(there.part, np.float32), paint, shadow)
    return there.laid(pixels, _painted(lid, LINER, np.clip(0.9 * taper * liner, 0, 1)))


def _rows(line: Floats, turn: Floats, width: int) -> Floats:
    """``(1, width)``, row of a line in each column."""
    x, y = (line @ turn[:, :2].T + turn[:, 2]).T
    order = np.argsort(x)
    return np.asarray(np.interp(np.arange(width), x[order], y[order])[None], np.float32)


def _painted(pixels: Floats, colour: tuple[int, int, int], share: Floats) -> Floats:
    return np.asarray(pixels * (1 - share[..., None]) + np.array(colour, np.float32) * share[..., None], np.float32)


def scene(person: Person, paint: tuple[int, int, int] | None, shut: tuple[int, ...], size: int) -> Pixels | None:
    """A photo with eyes of a size, px, or None where it would have to be enlarged by much."""
    own = person.face.landmarks[[UPPER[0][0], UPPER[0][-1]], :2]
    scale = size / float(np.linalg.norm(own[1] - own[0]))
    if scale > 1.3:
        return None
    pixels = person.pixels
    if paint is not None:
        for eye in (0, 1):
            pixels = made_up(pixels, person.face, eye, paint)
    for eye in shut:
        pixels = closed(pixels, person.face, eye)
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def found(engine: Engine, swapper: MeshSwapper, pixels: Pixels) -> bool:
    """Whether the engine takes the eyes of the largest face for closed."""
    photo = bytes(cv2.imencode(".png", pixels)[1])
    return swapper.prepare_source(Portrait(decode(photo).pixels, engine.faces(photo).faces[0])).eyes_closed


def counted(
    engine: Engine, swapper: MeshSwapper, everyone: list[Person]
) -> Iterator[tuple[tuple[str, str, str], bool]]:
    """Kind of each scene (eyes, lids, size), and whether its eyes count as closed."""
    for person in everyone:
        for size in SIZES:
            for paint in PAINTS:
                for shut in CLOSED:
                    pixels = scene(person, paint, shut, size)
                    if pixels is not None:
                        eyes = ("open", "one closed", "both closed")[len(shut)]
                        lids = "bare" if paint is None else "made up"
                        kind = eyes, lids, f"{'from' if size >= SMALL else 'under'} {SMALL:.0f} px"
                        yield kind, found(engine, swapper, pixels)


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    registry = Registry(config.load().engine.cache)
    models = registry.pull()
    engine, swapper = build_engine(models), MeshSwapper(Eyelids(LiteRtSession(models[IRIS])))
    scenes, hits = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for kind, hit in counted(engine, swapper, people(engine, registry)):
        scenes[kind] += 1
        hits[kind] += hit
    print("| eyes | lids | width of an eye | taken for closed |\n|---|---|---|---|")
    for kind in sorted(scenes):
        print(f"| {' | '.join(kind)} | {hits[kind]} of {scenes[kind]} |")


if __name__ == "__main__":
    main()
