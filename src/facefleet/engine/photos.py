"""One photo made ready: decoded, its faces found, those wanted prepared. What comes again is not made again.

Nothing here depends on two photos. What is kept of a source is its face alone, never the photo round it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from facefleet.engine.cache import Cache, Lent
from facefleet.engine.codec.glance import glance
from facefleet.engine.codec.image import Frame, decode_as_stored
from facefleet.engine.mesh.prepared import Portrait, Prepared
from facefleet.engine.mesh.swapper import Swapper
from facefleet.engine.steps.detect import MIN_SCORE, Detector
from facefleet.engine.steps.gate import choose_source
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.steps.locate import locate
from facefleet.engine.stopwatch import Stopwatch
from facefleet.engine.types import Face, Faces, Pixels
from facefleet.media.sniff import Limits

DOUBT = 0.12  # by which a score may differ between two decodings
LOCATE_STEPS = ("decode", "detect", "landmarks")


@dataclass(frozen=True, slots=True, eq=False)
class SourcePhoto:
    """What is taken from a photo.

    Attributes:
        faces: Wanted index (None: the largest) to the face made ready.
    """

    faces: Mapping[int | None, Prepared]


@dataclass(frozen=True, slots=True, eq=False)
class TargetPhoto:
    """What is fused into.

    Attributes:
        key: Names its content.
        frame: Decoded.
        faces: Every face in it.
        shared: Others may have the same pixels.
        known: It had been made ready before.
    """

    key: Hashable
    frame: Frame
    faces: Faces
    shared: bool
    known: bool

    def canvas(self) -> Pixels:
        """Pixels to write to; where nobody else has them they are the photo's own, since 12 MP take 5 ms to copy."""
        return self.frame.pixels.copy() if self.shared else self.frame.pixels


class Photos:
    """Makes photos ready.

    Args:
        detector: Finds faces.
        landmarker: Measures them.
        swapper: Prepares them.
        limits: What one photo may measure.
        cache: What is kept between fusions.
        versions: Name to version of the models: what they say of a photo is kept under these.
    """

    def __init__(
        self, detector: Detector, landmarker: Landmarker, swapper: Swapper, limits: Limits, cache: Cache,
        versions: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._detector = detector
        self._landmarker = landmarker
        self._swapper = swapper
        self._limits = limits
        self._cache = cache
        self._versions = tuple(sorted(versions.items()))

    def source(
        self, photo: bytes, number: int, wanted: tuple[int | None, ...], watch: Stopwatch, *, tiles: bool,
        keep: bool = False,
    ) -> Lent[SourcePhoto]:  # fmt: skip
        """The faces to take from a photo.

        Args:
            photo: File.
            number: Of the source, for what is wrong with it.
            wanted: Indices of the faces; None is the largest.
            watch: Told of every step, of those not taken as well.
            tiles: Look for small faces too.
            keep: At its first sight.

        Raises:
            ImageError: The photo cannot be used.
            FaceError: A face is missing or cannot be fused.
        """
        key = self._key(photo, "source", wanted, tiles)
        lent = self._cache.get(key, lambda: self._source(photo, number, wanted, watch, tiles=tiles), keep=keep)
        if lent.hit:
            _skip(watch, (*LOCATE_STEPS, "prepare"))
        return lent

    def target(self, photo: bytes, watch: Stopwatch, *, tiles: bool, keep: bool = False) -> TargetPhoto:
        """A photo to fuse into; arguments and errors are those of ``source``."""
        key = self._key(photo, "target", tiles)
        lent = self._cache.get(key, lambda: self._target(photo, watch, tiles=tiles), keep=keep)
        if lent.hit:
            _skip(watch, LOCATE_STEPS)
        frame, faces = lent.value
        if lent.shared:
            frame.pixels.setflags(write=False)
        return TargetPhoto(key, frame, faces, shared=lent.shared, known=lent.hit)

    def face(self, target: TargetPhoto, face: Face, watch: Stopwatch) -> Prepared:
        """A face of a target, ready; to be asked for before anything is written to the target's pixels."""
        portrait = Portrait(target.frame.pixels, face)
        if target.shared:
            lent = self._cache.get(
                (target.key, face.index), lambda: self._swapper.prepare(portrait, below=True), keep=True
            )
            ready = lent.value
        else:
            ready = self._swapper.prepare(portrait, below=True)
        watch.lap("prepare")
        return ready

    def faces(self, photo: bytes, watch: Stopwatch, *, tiles: bool) -> Faces:
        """Every face of a photo of which nothing else is wanted; arguments and errors are those of ``source``."""
        found = None if tiles else self._glanced(photo, watch)
        return found or self.located(photo, watch, tiles=tiles)[1]

    def located(self, photo: bytes, watch: Stopwatch, *, tiles: bool) -> tuple[Frame, Faces]:
        """A photo and every face in it; arguments and errors are those of ``source``.

        Faces are looked for in the colours as stored, where they are the same: of a source, only its face is turned.
        """
        frame = decode_as_stored(photo, self._limits)
        watch.lap("decode")
        return frame, self._locate(frame.pixels, watch, tiles=tiles)

    def _locate(self, pixels: Pixels, watch: Stopwatch, *, tiles: bool) -> Faces:
        faces = locate(pixels, [], self._landmarker)
        for detections in self._detector.looks(pixels, tiles=tiles):
            watch.lap("detect")
            faces = locate(pixels, detections, self._landmarker)
            watch.lap("landmarks")
            if faces.faces:
                break
        return faces

    def _glanced(self, photo: bytes, watch: Stopwatch) -> Faces | None:
        """The faces by a glance at the photo, or None where that could differ from a whole look."""
        small = glance(photo, self._limits)
        if small is None:
            return None
        watch.lap("decode")
        detections = next(self._detector.looks(small.pixels, min_score=MIN_SCORE - DOUBT), [])
        watch.lap("detect")
        if any(detection.score < MIN_SCORE + DOUBT for detection in detections):
            return None
        faces = small.in_full(locate(small.pixels, detections, self._landmarker))
        watch.lap("landmarks")
        return faces

    def _source(
        self, photo: bytes, number: int, wanted: tuple[int | None, ...], watch: Stopwatch, *, tiles: bool
    ) -> SourcePhoto:
        frame, faces = self.located(photo, watch, tiles=tiles)
        ready = {}
        for index in wanted:
            giver = Portrait(frame.pixels, choose_source(faces, index, number), frame.profile)
            ready[index] = self._swapper.prepare(giver, below=False)
            watch.lap("prepare")
        return SourcePhoto(ready)

    def _target(self, photo: bytes, watch: Stopwatch, *, tiles: bool) -> tuple[Frame, Faces]:
        frame, faces = self.located(photo, watch, tiles=tiles)
        if frame.profile is not None:
            frame = frame.in_srgb()
            watch.lap("decode")
        return frame, faces

    def _key(self, photo: bytes, *rest: Hashable) -> Hashable:
        # Unsalted on purpose: the digest stays in this process, and goes with what is kept under it.
        digest = hashlib.sha256(photo).digest() if self._cache.keeps else b""
        return (digest, self._versions, *rest)


def _skip(watch: Stopwatch, steps: tuple[str, ...]) -> None:
    """These had been taken before; the first one stands for the time it took to find that out."""
    for step in steps:
        watch.lap(step)
