"""What becomes of things before faces, as target and as source, and of faces with nothing before them.

    python -m benchmarks.quality.occlusion [--builder others|drawing] [--seed 7] [--sheet FILE]

Every kind of thing is put before every sample face. A scene is right as target where its covered pixels come out as
they went in, as source where neither the thing nor a trace of it comes along, and as either where it is refused.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import platformdirs
from benchmarks.quality import faces, others, things
from benchmarks.quality.expressions import expressed

from facefleet.engine.build import build_engine, build_hands
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.hands import Hands
from facefleet.engine.mesh.prepared import prepare
from facefleet.engine.models.registry import Registry
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels, Portrait
from facefleet.errors.base import FacefleetError

SAME = 8  # levels by which a pixel that was left alone may differ
ALIKE = 28  # levels from everything between the target and the fusion of the bare source
ENOUGH = 0.95  # share of a scene's covered pixels that must be right
SMALLEST = 0.01  # of the face that a thing covers
LOST = 0.12  # share of a feature that is no longer replaced
WANTED, MOST_REFUSED, MOST_ALARMS = 0.95, 0.15, 0.01
CLEAN_OF_EACH = 20  # photos of each face with nothing before it
BUILDERS: Mapping[str, ModuleType] = {"others": others, "things": things}
_FEATURES = (topology.RIGHT_EYE, topology.LEFT_EYE, topology.NOSE_TIP + topology.NOSTRILS, topology.LIPS_OUTER)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A face with a thing before it.

    Attributes:
        kind: Of the thing.
        bare: The same photo without it.
        pixels: With it.
        covered: ``(H, W)`` bool.
    """

    kind: str
    bare: faces.Shot
    pixels: Pixels
    covered: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What became of a scene.

    Attributes:
        right: Share of its covered pixels.
        refusal: Code of the error, or nothing.
        result: The picture, or None.
    """

    right: float
    refusal: str
    result: Pixels | None

    @property
    def holds(self) -> bool:
        """Whether that is good enough."""
        return bool(self.refusal) or self.right >= ENOUGH


def scenes(shots: list[faces.Shot], builder: ModuleType, seed: int) -> Iterator[Scene]:
    """Every kind before every face, at a size, in a place and in a light that follow from the seed."""
    for number, shot in enumerate(shots):
        for place, kind in enumerate(builder.KINDS):
            rng = np.random.default_rng((seed, number, place))
            variant = "as it is" if rng.random() < 0.6 else str(rng.choice(faces.VARIANTS))
            bare = faces.varied(
                faces.sized(shot, rng.uniform(75, 200), mirrored=bool(rng.random() < 0.5)), variant, rng
            )
            oval = outline(bare.points, bare.pixels.shape)
            for _ in range(8):
                pixels, share = builder.before(bare, kind, rng)
                covered = (share > 0.6) & oval
                if SMALLEST * oval.sum() < covered.sum() < 0.75 * oval.sum():
                    break
            yield Scene(kind, bare, faces.photographed(pixels, rng), covered)


def clean(shots: list[faces.Shot], count: int, seed: int) -> Iterator[faces.Shot]:
    """Every face in other lights, expressions, sizes and paint."""
    for number, shot in enumerate(shots):
        for turn in range(count):
            rng = np.random.default_rng((seed, 99, number, turn))
            one = faces.sized(shot, rng.uniform(60, 220), mirrored=bool(rng.random() < 0.5))
            if turn >= len(faces.VARIANTS):
                one = expressed(one, rng)
            one = faces.varied(one, faces.VARIANTS[turn % len(faces.VARIANTS)], rng)
            yield faces.Shot(one.name, faces.photographed(one.pixels, rng), one.points, one.variant)


def png(pixels: Pixels) -> bytes:
    """Without loss."""
    return bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def outline(points: Floats, shape: tuple[int, ...]) -> np.ndarray:
    """``(H, W)`` bool inside the oval."""
    mask: Pixels = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(topology.OVAL), :2]).astype(np.int32)], 1)
    return np.asarray(mask > 0)


def as_target(engine: Engine, scene: Scene, source: bytes) -> Verdict:
    """Fuse into the scene."""
    try:
        result = decode(engine.fuse(source, png(scene.pixels)).picture.image).pixels
    except FacefleetError as error:
        return Verdict(0.0, error.code, None)
    change = cv2.absdiff(result, scene.pixels).max(axis=2)
    return Verdict(float((change[scene.covered] <= SAME).mean()), "", result)


def as_source(engine: Engine, scene: Scene, target: faces.Shot) -> Verdict:
    """Fuse from the scene; what the bare source gives and what the target has are both right."""
    file = png(target.pixels)
    try:
        result = decode(engine.fuse(png(scene.pixels), file).picture.image).pixels
    except FacefleetError as error:
        return Verdict(0.0, error.code, None)
    try:
        bare = decode(engine.fuse(png(scene.bare.pixels), file).picture.image).pixels
    except FacefleetError:
        bare = target.pixels
    there = _carried(scene, target) & outline(target.points, result.shape)
    if not there.any():
        return Verdict(1.0, "", result)
    away = _from_between(*(_smooth(each, 0.015 * target.width) for each in (result, target.pixels, bare)))
    return Verdict(float((away[there] <= ALIKE).mean()), "", result)


def _carried(scene: Scene, target: faces.Shot) -> np.ndarray:
    """Where the thing would come to lie in the target: each triangle of the mesh takes its part along."""
    height, width = target.pixels.shape[:2]
    total = np.zeros((height, width), np.float32)
    covered = np.asarray(scene.covered, np.float32)
    for triangle in topology.topology().triangles:
        own, other = scene.bare.points[triangle, :2], target.points[triangle, :2]
        if not scene.covered[_window(own, covered.shape)].any():
            continue
        area: Pixels = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(area, np.round(other).astype(np.int32), 1)
        rows, columns = np.nonzero(area)
        at = cv2.getAffineTransform(other.astype(np.float32), own.astype(np.float32)) @ np.stack(
            [columns, rows, np.ones_like(rows)]
        )
        x, y = (np.clip(np.round(v).astype(int), 0, n - 1) for v, n in zip(at, covered.shape[::-1], strict=True))
        total[rows, columns] = np.maximum(total[rows, columns], covered[y, x])
    return np.asarray(total > 0.5)


def _window(points: Floats, shape: tuple[int, ...]) -> tuple[slice, slice]:
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return (
        slice(max(0, int(y0)), min(shape[0], int(y1) + 2)),
        slice(max(0, int(x0)), min(shape[1], int(x1) + 2)),
    )


def _smooth(pixels: Pixels, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma + 0.3), np.float32)


def _from_between(result: Floats, target: Floats, bare: Floats) -> Floats:
    """``(H, W)`` distance of each pixel from the straight line between two others, levels."""
    along = bare - target
    share = ((result - target) * along).sum(axis=2) / np.maximum((along**2).sum(axis=2), 1e-3)
    nearest = target + np.clip(share, 0, 1)[..., None] * along
    return np.asarray(np.abs(result - nearest).max(axis=2), np.float32)


def alarm(engine: Engine, hands: Hands, shot: faces.Shot) -> tuple[str, bool]:
    """What was lost of a bare face, or nothing; and whether anything was taken for a thing."""
    located = engine.faces(png(shot.pixels)).faces
    if not located:
        return "", False
    face = min(located, key=lambda one: float(np.abs(one.landmarks[:, :2] - shot.points[:, :2]).mean()))
    lost = []
    seen = False
    for replaced in (False, True):
        ready = prepare(Portrait(shot.pixels, face), replaced=replaced, hands=hands)
        if ready.covered is None:
            continue
        seen = True
        if ready.covered.refused:
            return "refused", True
        points = ready.region.local(face.landmarks, ready.size)
        for name, feature in zip(("right eye", "left eye", "nose", "mouth"), _FEATURES, strict=True):
            mask: Pixels = np.zeros(ready.covered.mask.shape, np.uint8)
            cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points[list(feature), :2]).astype(np.int32)), 1)
            if float(ready.covered.mask[mask > 0].mean()) > LOST and not ready.occlusion.eyes_covered:
                lost.append(name)
    return ", ".join(dict.fromkeys(lost)), seen


def cell(pixels: Pixels | None, size: int = 150) -> Pixels:
    """A square of the sheet."""
    square = np.zeros((size, size, 3), np.uint8)
    if pixels is not None:
        scale = size / max(pixels.shape[:2])
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:size, :size]
        square[: small.shape[0], : small.shape[1]] = small
    return square


def row(scene: Scene, target: Verdict, source: Verdict) -> Pixels:
    """Scene, result into it, result from it."""
    cells = [cell(scene.pixels), cell(target.result), cell(source.result)]
    for one, text, good in (
        (cells[0], scene.kind, True),
        (cells[1], target.refusal or f"{target.right:.2f}", target.holds),
        (cells[2], source.refusal or f"{source.right:.2f}", source.holds),
    ):
        cv2.putText(
            one, text, (3, 144), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (80, 220, 80) if good else (60, 60, 255), 1, cv2.LINE_AA
        )
    return np.hstack(cells)


def sheet(rows: list[Pixels], path: Path) -> None:
    """Four scenes a line."""
    rows = rows + [np.zeros_like(rows[0])] * (-len(rows) % 4)
    cv2.imwrite(str(path), np.vstack([np.hstack(rows[n : n + 4]) for n in range(0, len(rows), 4)]))


def measured(engine: Engine, shots: list[faces.Shot], builder: ModuleType, seed: int, path: Path | None) -> None:
    """Print the figures of one builder."""
    verdicts: dict[str, list[tuple[Verdict, Verdict]]] = defaultdict(list)
    rows: list[tuple[bool, Pixels]] = []
    partners = [shot for shot in shots if shot.name not in faces.DARK_GLASSES]
    for number, scene in enumerate(scenes(shots, builder, seed)):
        others_ = [shot for shot in partners if shot.name != scene.bare.name]
        partner = faces.sized(others_[number * 7 % len(others_)], 150)
        both = as_target(engine, scene, png(partner.pixels)), as_source(engine, scene, partner)
        verdicts[scene.kind].append(both)
        rows.append((all(verdict.holds for verdict in both), row(scene, *both)))
    _print_kinds(verdicts)
    if path is not None:
        sheet([one for _, one in sorted(rows, key=lambda each: each[0])], path)


def _print_kinds(verdicts: Mapping[str, list[tuple[Verdict, Verdict]]]) -> None:
    print(f"{'thing':14}{'scenes':>8}{'target right':>14}{'refused':>9}{'source right':>14}{'refused':>9}")
    every = [pair for pairs in verdicts.values() for pair in pairs]
    for kind, pairs in [*sorted(verdicts.items()), ("all", every)]:
        cells = [len(pairs)]
        text = f"{kind:14}{cells[0]:>8}"
        for side in range(2):
            held = np.mean([pair[side].holds for pair in pairs])
            refused = np.mean([bool(pair[side].refusal) for pair in pairs])
            text += f"{held:>13.1%} {refused:>8.1%}"
        print(text)
    target = [pair[0] for pair in every]
    source = [pair[1] for pair in every]
    print()
    _bar("as target: left untouched or refused", float(np.mean([one.holds for one in target])), WANTED, "≥")
    _bar("as source: not taken along, or refused", float(np.mean([one.holds for one in source])), WANTED, "≥")
    _bar("targets refused", float(np.mean([bool(one.refusal) for one in target])), MOST_REFUSED, "≤")
    print("refusals:", dict(Counter(one.refusal for one in target + source if one.refusal)))


def _bar(what: str, value: float, bound: float, sign: str) -> None:
    met = value >= bound if sign == "≥" else value <= bound
    print(f"{what:44}{value:>8.1%} {sign} {bound:<6.0%}{'met' if met else 'missed'}")


def alarms(engine: Engine, hands: Hands, shots: list[faces.Shot], count: int, seed: int, path: Path | None) -> None:
    """Print the figures of bare faces."""
    lost: list[tuple[faces.Shot, str]] = []
    total, seen_in = 0, 0
    for shot in clean(shots, count, seed):
        what, seen = alarm(engine, hands, shot)
        total, seen_in = total + 1, seen_in + seen
        if what:
            lost.append((shot, what))
    _bar(f"bare faces that lose a feature ({total})", len(lost) / max(total, 1), MOST_ALARMS, "≤")
    print(f"in {seen_in / max(total, 1):.1%} something was taken for a thing, mostly outside of the features")
    print("lost:", "; ".join(f"{shot.name} {shot.variant}: {what}" for shot, what in lost) or "nothing")
    if path is not None and lost:
        sheet([np.hstack([cell(shot.pixels)] * 1) for shot, _ in lost], path)


def main() -> None:
    """Print the figures beside their bars."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--builder", choices=BUILDERS, default="others")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--clean", type=int, default=CLEAN_OF_EACH, help="bare photos of each face")
    parser.add_argument("--sheet", type=Path, help="contact sheet, the wrong ones first; never publish it")
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("facefleet"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    registry = Registry(arguments.cache)
    models = registry.pull()
    engine, hands = build_engine(models), build_hands(models)
    shots = faces.shots(engine, registry.samples())
    measured(engine, shots, BUILDERS[arguments.builder], arguments.seed, arguments.sheet)
    bad = arguments.sheet.with_stem(arguments.sheet.stem + "-bare") if arguments.sheet else None
    alarms(engine, hands, shots, arguments.clean, arguments.seed, bad)


if __name__ == "__main__":
    main()
