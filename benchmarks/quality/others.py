"""Other things before faces, for the published figures only: nothing of the engine was fitted to them.

Nothing is shared with ``drawing.py``: shapes are signed distances, not polygons; textures are sums of waves and cells,
not octaves; light is a lamp on a rounded surface; letters are Pillow's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from benchmarks.quality.faces import Random, Shot
from PIL import Image, ImageDraw, ImageFont

from facefleet.engine.types import Floats, Pixels

Colour = tuple[float, float, float]
AnyFloats = npt.NDArray[np.floating[Any]]
_MOUTH, _NOSE_TIP, _BRIDGE, _CHIN, _CHEEKS = (0, 17), (4,), (6,), (199,), ((118,), (347,))
_EYES = ((33, 133, 159, 145), (362, 263, 386, 374))


@dataclass(slots=True, eq=False)
class Scene:
    """A photo under way.

    Attributes:
        shot: The bare face.
        rng: Of this scene.
        pixels: ``(H, W, 3)`` float32 levels.
        covered: ``(H, W)`` float32.
        lamp: Where its light comes from, across and down.
    """

    shot: Shot
    rng: Random
    pixels: Floats = field(init=False)
    covered: Floats = field(init=False)
    lamp: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self.pixels = np.asarray(self.shot.pixels, np.float32)
        self.covered = np.zeros(self.pixels.shape[:2], np.float32)
        self.lamp = self.rng.uniform(-0.7, 0.7), self.rng.uniform(-0.9, -0.2)

    def grid(self, points: tuple[int, ...], x: float = 0.0, y: float = 0.0, turn: float = 0.0) -> tuple[Floats, Floats]:
        """``u, v`` of every pixel from a place on the face, in face widths, turned."""
        middle = self.shot.points[list(points), :2].mean(axis=0)
        eyes = self.shot.points[362, :2] - self.shot.points[133, :2]
        tilt = float(np.arctan2(eyes[1], eyes[0]))
        columns, rows = np.meshgrid(np.arange(self.pixels.shape[1]), np.arange(self.pixels.shape[0]))
        dx, dy = (columns - middle[0]) / self.shot.width, (rows - middle[1]) / self.shot.width
        u, v = np.cos(tilt) * dx + np.sin(tilt) * dy - x, np.cos(tilt) * dy - np.sin(tilt) * dx - y
        return (
            np.asarray(np.cos(turn) * u + np.sin(turn) * v, np.float32),
            np.asarray(np.cos(turn) * v - np.sin(turn) * u, np.float32),
        )

    def lay(self, distance: AnyFloats, albedo: AnyFloats, *, bulge: float = 0.06, gloss: float = 0.0) -> None:
        """Put a body before the face: its shadow, then itself in the light of a lamp.

        Args:
            distance: ``(H, W)`` face widths, under 0 inside.
            albedo: ``(H, W, 3)`` or ``(3,)`` levels.
            bulge: Depth at which its surface is flat, face widths.
            gloss: Strength of its highlight.
        """
        width = self.shot.width
        alpha = np.clip(0.5 - distance * width / 1.3, 0, 1).astype(np.float32)
        drop = np.roll(distance, (round(0.03 * width), round(-0.02 * width * np.sign(self.lamp[0]))), (0, 1))
        shade = np.exp(-np.maximum(drop, 0) / self.rng.uniform(0.02, 0.07)) * self.rng.uniform(0.05, 0.35)
        depth = np.clip(-distance / bulge, 0, 1)
        height = np.asarray(np.sqrt(np.maximum(1 - (1 - depth) ** 2, 0)) * bulge * width, np.float32)
        height = np.asarray(cv2.GaussianBlur(height, (0, 0), 0.8), np.float32)
        slope_x, slope_y = (cv2.Sobel(height, cv2.CV_32F, *order, scale=0.125) for order in ((1, 0), (0, 1)))
        norm = np.sqrt(slope_x**2 + slope_y**2 + 1)
        lit = np.clip((slope_x * -self.lamp[0] + slope_y * -self.lamp[1] + 0.9) / norm / 1.1, 0, 1.2)
        body = np.broadcast_to(np.asarray(albedo, np.float32), self.pixels.shape) * (0.35 + 0.7 * lit)[..., None]
        body = body + gloss * 255 * np.clip(lit - 0.85, 0, 1)[..., None]
        below = self.pixels * (1 - shade * (1 - alpha))[..., None]
        self.pixels = np.asarray(below * (1 - alpha[..., None]) + body * alpha[..., None], np.float32)
        self.covered = np.maximum(self.covered, alpha)

    def done(self) -> tuple[Pixels, Floats]:
        """The photo, and the thing's share of each pixel."""
        soft = cv2.GaussianBlur(self.pixels, (0, 0), self.rng.uniform(0.3, 0.55))
        near = cv2.GaussianBlur(self.covered, (0, 0), 2)[..., None]
        pixels = self.pixels * (1 - np.minimum(near * 3, 1)) + soft * np.minimum(near * 3, 1)
        return np.asarray(np.clip(pixels, 0, 255), np.uint8), self.covered


# ── distances ────────────────────────────────────────────────────────────────────────────────────────────────────────


def disc(u: Floats, v: Floats, radius: float, stretch: float = 1.0) -> Floats:
    return np.asarray((np.hypot(u, v / stretch) - radius) * min(1.0, stretch), np.float32)


def box(u: Floats, v: Floats, half_u: float, half_v: float, corner: float = 0.0) -> Floats:
    x, y = np.abs(u) - half_u + corner, np.abs(v) - half_v + corner
    return np.asarray(
        np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0) - corner, np.float32
    )


def segment(u: Floats, v: Floats, a: tuple[float, float], b: tuple[float, float], radius: float) -> Floats:
    along = np.array(b) - np.array(a)
    share = np.clip(((u - a[0]) * along[0] + (v - a[1]) * along[1]) / max(float(along @ along), 1e-9), 0, 1)
    return np.asarray(np.hypot(u - a[0] - share * along[0], v - a[1] - share * along[1]) - radius, np.float32)


# ── textures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def waves(u: Floats, v: Floats, rng: Random, fineness: float = 30.0) -> Floats:
    """A sum of sines, about -1 to 1."""
    total = np.zeros_like(u)
    for _ in range(9):
        a, b = rng.normal(0, fineness, 2)
        total += np.sin(a * u + b * v + rng.uniform(0, 6.3))
    return np.asarray(total / 4.5, np.float32)


def cells(u: Floats, v: Floats, rng: Random, pitch: float) -> Floats:
    """Distance to the nearest of scattered points, 0 to 1."""
    spread = rng.uniform(-1, 1, (60, 2)) * 9 * pitch
    near = np.full_like(u, 9.0)
    for x, y in spread:
        near = np.minimum(near, np.hypot(u - x, v - y))
    return np.asarray(np.clip(near / pitch, 0, 1.5) / 1.5, np.float32)


def mixed(one: Colour, other: Colour, share: Floats) -> Floats:
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(np.array(one, np.float32) * (1 - share) + np.array(other, np.float32) * share, np.float32)


def speckled(colour: Colour, u: Floats, v: Floats, rng: Random, amount: float = 0.1) -> Floats:
    grain = 1 + amount * waves(u, v, rng, 60) + rng.normal(0, 0.02, u.shape)
    return np.asarray(np.array(colour, np.float32) * grain[..., None], np.float32)


def some(rng: Random, *colours: Colour) -> Colour:
    base = np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.8, 1.15) + rng.uniform(-10, 10, 3)
    red, green, blue = np.clip(base, 8, 250).tolist()
    return blue, green, red


def anything(rng: Random) -> Colour:
    return some(rng, (200, 30, 40), (30, 90, 180), (40, 140, 70), (240, 200, 40), (30, 30, 35), (235, 235, 230),
                (130, 80, 40), (230, 120, 170), (120, 120, 125), (90, 50, 130))  # fmt: skip


# ── things ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bottle(s: Scene) -> None:
    rng, lean = s.rng, s.rng.uniform(-0.35, 0.35)
    u, v = s.grid(_MOUTH, s.rng.uniform(-0.06, 0.06), 0.0, lean)
    neck, body = box(u, v - 0.22, 0.075, 0.25, 0.03), box(u, v - 0.95, rng.uniform(0.2, 0.27), 0.55, 0.12)
    glass = some(rng, (40, 90, 40), (110, 60, 20), (190, 215, 220), (60, 110, 170))
    s.lay(np.minimum(neck, body), speckled(glass, u, v, rng, 0.08), bulge=0.08, gloss=0.9)
    s.lay(box(u, v - 0.9, 0.2, 0.17, 0.02), speckled(anything(rng), u, v, rng, 0.15), bulge=0.4)


def _lollipop(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_MOUTH, rng.uniform(-0.12, 0.12), rng.uniform(-0.03, 0.06))
    s.lay(segment(u, v, (0, 0), (rng.uniform(-0.4, 0.4), 0.8), 0.02), np.array([225, 230, 235.0]))
    swirl = np.sin(np.arctan2(v, u) * 3 + 40 * np.hypot(u, v))
    s.lay(disc(u, v, rng.uniform(0.11, 0.2)), mixed(anything(rng), anything(rng), swirl + 0.5), gloss=0.5)


def _flute(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_MOUTH, 0, rng.uniform(-0.04, 0.06), rng.uniform(-0.3, 0.3))
    metal = some(rng, (190, 190, 195), (200, 165, 80), (60, 40, 30))
    s.lay(
        box(u + rng.choice([-1, 1]) * 0.7, v, 1.1, rng.uniform(0.045, 0.08), 0.02),
        speckled(metal, u, v, rng),
        gloss=0.8,
    )
    for x in np.arange(-1.6, 1.6, 0.16):
        s.lay(disc(u - x, v, 0.022), np.array([25, 25, 30.0]))


def _card(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_spot(rng), rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05), rng.uniform(-0.6, 0.6))
    lines = (np.abs(np.sin(v * 45)) > 0.75) & (np.abs(u) < 0.13) & (np.sin(u * 70 + 3 * v) > -0.5)
    s.lay(
        box(u, v, 0.19, 0.27, 0.02),
        mixed(some(rng, (245, 245, 240), (250, 235, 190)), anything(rng), lines),
        bulge=0.01,
    )


def _bandage(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_spot(rng), 0, 0, rng.uniform(-0.9, 0.9))
    tone = some(rng, (215, 175, 140), (225, 190, 160), (235, 235, 235), (180, 130, 95))
    holes = (np.sin(u * 160) + np.sin(v * 160) > 1.5) & (np.abs(u) > 0.08)
    s.lay(
        box(u, v, rng.uniform(0.17, 0.25), rng.uniform(0.06, 0.09), 0.055),
        speckled(tone, u, v, rng, 0.05) * (1 - 0.25 * holes)[..., None],
        bulge=0.02,
    )


def _pacifier(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_MOUTH, rng.uniform(-0.03, 0.03), 0.0)
    plastic = anything(rng)
    s.lay(np.minimum(disc(u - 0.09, v, 0.14), disc(u + 0.09, v, 0.14)), speckled(plastic, u, v, rng, 0.04), gloss=0.5)
    s.lay(np.abs(disc(u, v - 0.1, 0.11)) - 0.018, np.array(anything(rng)), gloss=0.5)


def _pipe(s: Scene) -> None:
    rng, side = s.rng, s.rng.choice([-1, 1])
    u, v = s.grid(_MOUTH, side * 0.08, 0.0)
    wood = mixed((25, 45, 85), (50, 85, 140), 0.5 + 0.5 * np.sin(70 * u + 6 * waves(u, v, rng, 12)))
    s.lay(segment(u, v, (0, 0), (side * 0.3, 0.1), 0.03), np.array([30, 28, 28.0]))
    s.lay(box(u - side * 0.34, v - 0.04, 0.08, 0.12, 0.04), wood, gloss=0.3)


def _bubble(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_MOUTH, rng.uniform(-0.05, 0.05), rng.uniform(0, 0.06))
    gum = some(rng, (245, 150, 190), (240, 110, 160), (150, 210, 240))
    s.lay(disc(u, v, rng.uniform(0.14, 0.26)), speckled(gum, u, v, rng, 0.03), bulge=0.2, gloss=0.7)


def _loupe(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_EYES[rng.integers(2)], 0, 0.01)
    radius = rng.uniform(0.14, 0.2)
    s.lay(segment(u, v, (0, radius), (rng.uniform(-0.2, 0.2), 0.75), 0.03), np.array(anything(rng)), gloss=0.4)
    glass = some(rng, (25, 30, 35), (60, 70, 90), (120, 60, 50))
    s.lay(disc(u, v, radius), mixed(glass, (200.0, 190.0, 180.0), 0.25 + 0.5 * (u - v)), bulge=0.3)
    s.lay(np.abs(disc(u, v, radius)) - 0.02, np.array(some(rng, (190, 160, 70), (40, 40, 42))), gloss=0.8)


def _leaf(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_spot(rng), 0, 0, rng.uniform(0, 6.3))
    long = rng.uniform(0.2, 0.38)
    blade = np.abs(v) - 0.45 * long * np.cos(np.clip(u / long, -1, 1) * np.pi / 2)
    veins = np.maximum(np.abs(v) < 0.008, np.sin((u - np.abs(v)) * 75) > 0.93)
    tone = some(rng, (60, 120, 40), (190, 90, 30), (150, 160, 60), (120, 30, 30))
    s.lay(
        np.maximum(blade, np.abs(u) - long), speckled(tone, u, v, rng, 0.12) * (1 + 0.35 * veins)[..., None], bulge=0.03
    )


def _tape(s: Scene) -> None:
    rng = s.rng
    where = (_MOUTH, (*_EYES[0], *_EYES[1]), _EYES[rng.integers(2)], _NOSE_TIP)[rng.integers(4)]
    u, v = s.grid(where, 0, 0, rng.uniform(-0.7, 0.7))
    tone = some(rng, (15, 15, 15), (150, 150, 150), (200, 30, 30), (235, 225, 190))
    s.lay(box(u, v, rng.choice([0.3, 0.55, 2.0]), rng.uniform(0.06, 0.11)), speckled(tone, u, v, rng, 0.05), bulge=0.02)


def _fist(s: Scene) -> None:
    rng, side = s.rng, s.rng.choice([-1, 1])
    u, v = s.grid(
        ((13,), _CHIN, _CHEEKS[0], _CHEEKS[1])[rng.integers(4)], side * 0.08, 0.05, side * rng.uniform(-0.5, 0.5)
    )
    around = cv2.GaussianBlur(s.shot.pixels, (0, 0), 0.1 * s.shot.width)
    x, y = s.shot.points[[50, 280], :2].mean(axis=0)
    tone = around[min(round(float(y)), around.shape[0] - 1), min(round(float(x)), around.shape[1] - 1)]
    tone = tone * rng.uniform(0.75, 1.1) * np.array([rng.uniform(0.92, 1.05), rng.uniform(0.95, 1.04), 1])
    u = u * side
    skin = speckled(tuple(tone.tolist()), u, v, rng, 0.05)
    s.lay(
        np.minimum(box(u - 0.25, v - 0.1, 0.32, 0.21, 0.12), box(u - 0.7, v - 0.25, 0.45, 0.16, 0.08)), skin, bulge=0.15
    )
    for n in range(4):
        s.lay(
            segment(u, v, (0.2, -0.05 + 0.1 * n), (-0.03, -0.04 + 0.1 * n), 0.056),
            skin * np.float32(rng.uniform(0.93, 1.05)),
            bulge=0.06,
        )


def _mitten(s: Scene) -> None:
    rng, side = s.rng, s.rng.choice([-1, 1])
    u, v = s.grid(
        (_MOUTH, _NOSE_TIP, _EYES[0], _EYES[1])[rng.integers(4)], side * 0.1, 0.08, side * rng.uniform(-0.2, 0.8)
    )
    knit = 0.5 + 0.5 * np.sin(110 * u + 2 * np.sin(110 * v)) * np.sin(80 * v)
    wool = mixed(anything(rng), anything(rng) if rng.random() < 0.4 else (40.0, 40.0, 44.0), 0.6 * knit)
    shape = np.minimum(
        segment(u * side, v, (0, 0), (0.75, 0.4), 0.2), segment(u * side, v, (0.3, 0), (0.18, -0.25), 0.075)
    )
    s.lay(shape, wool, bulge=0.15)


def _half_mask(s: Scene) -> None:
    rng, side = s.rng, int(s.rng.integers(2))
    u, v = s.grid(_EYES[side], 0, 0.02)
    shape = np.maximum(disc(u, v, 0.27, 0.72), -disc(u, v, rng.uniform(0.05, 0.08), 0.6))
    gold = 0.5 + 0.5 * np.sin(60 * np.hypot(u, v) + 3 * np.arctan2(v, u))
    s.lay(shape, mixed(anything(rng), some(rng, (220, 180, 70), (240, 240, 240)), gold**3), bulge=0.05, gloss=0.4)


def _rope(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_spot(rng), 0, 0, rng.uniform(-1.5, 1.5))
    bent = v - 0.07 * np.sin(4 * u + rng.uniform(0, 6))
    twist = 0.5 + 0.5 * np.sin(75 * u + 30 * bent)
    s.lay(
        np.asarray(np.abs(bent) - rng.uniform(0.025, 0.045), np.float32),
        mixed(some(rng, (90, 65, 40), (40, 45, 60)), some(rng, (210, 185, 140), (150, 160, 180)), twist),
        bulge=0.03,
    )


def _pencil(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_MOUTH, rng.uniform(-0.1, 0.1), 0.0, rng.uniform(-0.6, 0.6) + (np.pi if rng.random() < 0.5 else 0))
    s.lay(
        box(u - 0.35, v, 0.4, 0.028),
        speckled(anything(rng), u, v, rng, 0.04) * (1 - 0.3 * (np.abs(v) < 0.009))[..., None],
        bulge=0.03,
    )


def _splash(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_spot(rng))
    radius, angle = rng.uniform(0.12, 0.26), np.arctan2(v, u)
    edge = radius * (1 + 0.22 * np.sin(5 * angle + rng.uniform(0, 6)) + 0.16 * np.sin(11 * angle + rng.uniform(0, 6)))
    paint = some(rng, (245, 245, 245), (60, 170, 70), (40, 80, 190), (250, 210, 40), (110, 60, 30))
    s.lay(
        np.asarray((np.hypot(u, v) - edge) * 0.7, np.float32), speckled(paint, u, v, rng, 0.06), bulge=0.07, gloss=0.5
    )


def _fruit(s: Scene) -> None:
    rng = s.rng
    u, v = s.grid(_MOUTH, rng.uniform(-0.06, 0.06), rng.uniform(0, 0.08))
    kind = rng.integers(3)
    peel = [some(rng, (190, 30, 30), (120, 170, 50)), some(rng, (240, 140, 20)), some(rng, (235, 190, 60))][kind]
    flesh = cells(u, v, rng, 0.06)[..., None]
    s.lay(
        disc(u, v, rng.uniform(0.17, 0.26), rng.uniform(0.7, 1.0)),
        np.array(peel, np.float32) * (0.75 + 0.4 * flesh),
        bulge=0.2,
        gloss=0.3,
    )


def _watermark(s: Scene) -> None:
    rng = s.rng
    tall = rng.uniform(0.14, 0.26) * s.shot.width
    middle = s.shot.points[list(_spot(rng)), :2].mean(axis=0)
    sheet = Image.new("L", (s.pixels.shape[1], s.pixels.shape[0]), 0)
    words = str(rng.choice(["SAMPLE 2041", "nice day!", "LIVE NEWS", "WOW WOW", "#monday", "breaking"]))
    font = ImageFont.load_default(size=float(tall))
    ImageDraw.Draw(sheet).text(
        (float(middle[0]), float(middle[1])),
        words,
        fill=255,
        font=font,
        anchor="mm",
        stroke_width=max(1, round(tall / 14)),
    )
    inside = np.asarray(sheet, np.uint8)
    away = cv2.distanceTransform(255 - np.where(inside > 127, 255, 0).astype(np.uint8), cv2.DIST_L2, 3)
    near = np.where(away > 1, away, (0.5 - np.asarray(inside, np.float32) / 255) * 1.3)
    s.lay(np.asarray(near / s.shot.width, np.float32), np.array(anything(rng)), bulge=0.001)


def _spot(rng: Random) -> tuple[int, ...]:
    """Somewhere on the face."""
    spots = (_MOUTH, _NOSE_TIP, _BRIDGE, _CHIN, *_CHEEKS, *_EYES, (9,), (57,), (287,))
    return spots[rng.integers(len(spots))]


KINDS: dict[str, Callable[[Scene], None]] = {
    "bottle": _bottle, "lollipop": _lollipop, "flute": _flute, "card": _card, "bandage": _bandage,
    "pacifier": _pacifier,
    "pipe": _pipe, "bubble gum": _bubble, "loupe": _loupe, "leaf": _leaf, "tape": _tape, "fist": _fist,
    "mitten": _mitten, "half mask": _half_mask, "rope": _rope, "pencil": _pencil, "splash": _splash, "fruit": _fruit,
    "watermark": _watermark,
}  # fmt: skip


def before(shot: Shot, kind: str, rng: Random) -> tuple[Pixels, Floats]:
    """A thing of a kind before the face: the photo, and the thing's share of each pixel."""
    scene = Scene(shot, rng)
    KINDS[kind](scene)
    return scene.done()
