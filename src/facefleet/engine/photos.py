"""Prepares one photo for fusions: decoded, inspected, its faces located, those wanted prepared.

Nothing here depends on two photos. Photos that come again are kept in memory for a while: a target whole, of a source
only its face.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace

from facefleet.engine.cache import Cache, Cached
from facefleet.engine.codec.image import Frame, decode_as_stored
from facefleet.engine.codec.reduced import decode_reduced
from facefleet.engine.inspector import Inspected, Inspection, Inspector, Shown, Tell, admit, tell_nobody
from facefleet.engine.memory import array_bytes
from facefleet.engine.steps.detect import MIN_SCORE, Detection, Detector
from facefleet.engine.steps.gate import choose_source
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.steps.locate import is_turned, locate, order_in_doubt
from facefleet.engine.steps.tone import find_tone, without_colour
from facefleet.engine.steps.views import smallest_sought
from facefleet.engine.stopwatch import Stopwatch
from facefleet.engine.swapper import AnySwapper, Source, Target
from facefleet.engine.types import Face, Faces, Pixels, Portrait
from facefleet.media.sniff import Limits

SCORE_TOLERANCE = 0.12  # by which a detection's score may differ between two decodings of a photo


@dataclass(frozen=True, slots=True, eq=False)
class _File:
    """A photo as it came; the digest is empty where nobody asks for it."""

    data: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class SourcePhoto:
    """What is taken from a photo.

    Attributes:
        faces: Wanted index (None: the largest) to the prepared face.
        inspection: That it passed; none where it was not inspected.
    """

    faces: Mapping[int | None, Source]
    inspection: Inspection | None

    @property
    def held_bytes(self) -> int:
        """Memory that is freed when it goes."""
        return sum(face.held_bytes for face in self.faces.values())


@dataclass(frozen=True, slots=True, eq=False)
class LocatedPhoto:
    """A photo and every face in it.

    Attributes:
        frame: Decoded.
        faces: Every face in it.
        inspection: That it passed; none where it was not inspected.
    """

    frame: Frame
    faces: Faces
    inspection: Inspection | None = None

    @property
    def held_bytes(self) -> int:
        """Memory that is freed when it goes."""
        return array_bytes(self)


@dataclass(frozen=True, slots=True, eq=False)
class TargetPhoto:
    """What is fused into.

    Attributes:
        key: Names its content.
        frame: Decoded.
        faces: Every face in it.
        shared: Others may have the same pixels.
        hit: It came from the cache.
    """

    key: Hashable
    frame: Frame
    faces: Faces
    shared: bool
    hit: bool

    def canvas(self) -> Pixels:
        """Pixels to write to; where nobody else has them they are the photo's own, since 12 MP take 5 ms to copy."""
        return self.frame.pixels.copy() if self.shared else self.frame.pixels


class Photos:
    """Prepares photos.

    Args:
        detector: Finds faces.
        landmarker: Measures them.
        swapper: Prepares them.
        inspector: Looks at photos before anything else does.
        limits: What one photo may measure.
        cache: What is kept between fusions.
        versions: Name to version of the models: what they say of a photo is kept under these.
    """

    def __init__(
        self, detector: Detector, landmarker: Landmarker, swapper: AnySwapper, inspector: Inspector, limits: Limits,
        cache: Cache, versions: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._detector = detector
        self._landmarker = landmarker
        self._swapper = swapper
        self._inspector = inspector
        self._limits = limits
        self._cache = cache
        self._versions = tuple(sorted(versions.items()))
        self.locate_steps = ("decode", *inspector.steps, "detect", "landmarks")

    def source(
        self, photo: bytes, number: int, wanted: tuple[int | None, ...], watch: Stopwatch, *, tiles: bool,
        tell: Tell = tell_nobody,
    ) -> Cached[SourcePhoto]:  # fmt: skip
        """The faces to take from a photo.

        Args:
            photo: File.
            number: Of the source, for what is wrong with it.
            wanted: Indices of the faces; None is the largest.
            watch: Told of every step, of those not taken as well.
            tiles: Look for small faces too.
            tell: Told of the photo's inspection, also where that was made for an earlier fusion.

        Raises:
            ImageError: The photo cannot be used.
            FaceError: A face is missing or cannot be fused.
        """
        file = self._file(photo)
        key = self._key(file, "source", wanted, tiles)
        cached = self._cache.get(key, lambda: self._prepare_source(file, number, wanted, watch, tell, tiles=tiles))
        if cached.hit:
            _skip(watch, (*self.locate_steps, "prepare"))
        _pass_on(cached.value.inspection, tell)
        return cached

    def target(
        self, photo: bytes, watch: Stopwatch, *, tiles: bool, keep: bool = False, tell: Tell = tell_nobody
    ) -> TargetPhoto:
        """A photo to fuse into, kept at its first sight where asked for; the rest is that of ``source``."""
        file = self._file(photo)
        key = self._key(file, "target", tiles)
        cached = self._cache.get(key, lambda: self._open_target(file, watch, tell, tiles=tiles), keep=keep)
        if cached.hit:
            _skip(watch, self.locate_steps)
        _pass_on(cached.value.inspection, tell)
        frame = cached.value.frame
        if cached.shared:
            frame.pixels.setflags(write=False)
        return TargetPhoto(key, frame, cached.value.faces, shared=cached.shared, hit=cached.hit)

    def target_face(self, target: TargetPhoto, face: Face, watch: Stopwatch) -> Target:
        """A face of a target, prepared; to be asked for before anything is written to the target's pixels."""
        portrait = Portrait(target.frame.pixels, face)
        prepared: Target
        if target.shared:
            key = (target.key, face.index)
            prepared = self._cache.get(key, lambda: self._swapper.prepare_target(portrait), keep=True).value
        else:
            prepared = self._swapper.prepare_target(portrait)
        watch.lap("prepare")
        return prepared

    def faces(self, photo: bytes, watch: Stopwatch, *, tiles: bool) -> Faces:
        """Every face of a photo of which nothing else is wanted; arguments and errors are those of ``source``."""
        reduced = None if tiles else self._faces_of_reduced(photo, watch)
        return reduced or self.located(photo, watch, tiles=tiles).faces

    def located(self, photo: bytes, watch: Stopwatch, *, tiles: bool) -> LocatedPhoto:
        """A photo and every face in it, not inspected; arguments and errors are those of ``source``."""
        frame = self._decode(photo, watch)
        return LocatedPhoto(frame, self._locate(frame.as_seen(), watch, tiles=tiles))

    def _decode(self, photo: bytes, watch: Stopwatch) -> Frame:
        """In the colours as stored, in which faces are located as well: of a source only the face is turned to sRGB."""
        frame = decode_as_stored(photo, self._limits)
        watch.lap("decode")
        return frame

    def _inspected(self, file: _File, role: Inspected, watch: Stopwatch, tell: Tell, *, tiles: bool) -> LocatedPhoto:
        """A photo that the inspector lets pass, and every face in it."""
        frame = self._decode(file.data, watch)
        seen = frame.as_seen()
        inspection = admit(self._inspector, Shown(seen, frame.profile, file.digest), role, tell)
        _skip(watch, self._inspector.steps)
        return LocatedPhoto(frame, self._locate(seen, watch, tiles=tiles), inspection)

    def _locate(self, pixels: Pixels, watch: Stopwatch, *, tiles: bool) -> Faces:
        faces, view = locate(pixels, [], self._landmarker), pixels
        detections: list[Detection] = []
        for view, detections in self._passes(pixels, tiles=tiles):
            watch.lap("detect")
            faces = locate(view, detections, self._landmarker)
            watch.lap("landmarks")
            if faces.faces:
                break
        if not tiles and is_turned(faces):
            detections = [*detections, *self._detector.closely(view)]
            watch.lap("detect")
            faces = locate(view, detections, self._landmarker)
            watch.lap("landmarks")
        return _searched(faces, tiles=tiles)

    def _passes(
        self, pixels: Pixels, *, tiles: bool = False, min_score: float = MIN_SCORE
    ) -> Iterator[tuple[Pixels, list[Detection]]]:
        """Detections of each pass with the pixels that they were seen in.

        Of a photo of one hue, in which the models may see no face, the passes go on in black and white.
        """
        for detections in self._detector.passes(pixels, tiles=tiles, min_score=min_score):
            yield pixels, detections
        if find_tone(pixels) is not None:
            grey = without_colour(pixels)
            for detections in self._detector.passes(grey, tiles=tiles, min_score=min_score):
                yield grey, detections

    def _faces_of_reduced(self, photo: bytes, watch: Stopwatch) -> Faces | None:
        """The faces by a decoding at reduced size, or None where the full size could give others."""
        reduced = decode_reduced(photo, self._limits)
        if reduced is None:
            return None
        watch.lap("decode")
        no_face: tuple[Pixels, list[Detection]] = (reduced.pixels, [])
        view, detections = next(self._passes(reduced.pixels, min_score=MIN_SCORE - SCORE_TOLERANCE), no_face)
        watch.lap("detect")
        if any(detection.score < MIN_SCORE + SCORE_TOLERANCE for detection in detections):
            return None
        faces = locate(view, detections, self._landmarker)
        watch.lap("landmarks")
        # A fusion decodes the photo in full, and must find and number its faces the same.
        in_full = None if order_in_doubt(faces) or is_turned(faces) else reduced.in_full(faces)
        return in_full and _searched(in_full, tiles=False)

    def _prepare_source(
        self, file: _File, number: int, wanted: tuple[int | None, ...], watch: Stopwatch, tell: Tell, *, tiles: bool
    ) -> SourcePhoto:
        located = self._inspected(file, Inspected.SOURCE, watch, tell, tiles=tiles)
        prepared, pixels = {}, located.frame.opaque()
        for index in wanted:
            face = choose_source(located.faces, index, number)
            prepared[index] = self._swapper.prepare_source(Portrait(pixels, face, located.frame.profile))
            watch.lap("prepare")
        return SourcePhoto(prepared, located.inspection)

    def _open_target(self, file: _File, watch: Stopwatch, tell: Tell, *, tiles: bool) -> LocatedPhoto:
        located = self._inspected(file, Inspected.TARGET, watch, tell, tiles=tiles)
        if located.frame.profile is None:
            return located
        in_srgb = replace(located, frame=located.frame.in_srgb())
        watch.lap("decode")
        return in_srgb

    def _file(self, photo: bytes) -> _File:
        # Unsalted on purpose: the digest stays in this process.
        wanted = self._cache.keeps or self._inspector.steps
        return _File(photo, hashlib.sha256(photo).digest() if wanted else b"")

    def _key(self, file: _File, *rest: Hashable) -> Hashable:
        return (file.digest, self._versions, *rest)


def _pass_on(inspection: Inspection | None, tell: Tell) -> None:
    if inspection is not None:
        tell(inspection)


def _searched(faces: Faces, *, tiles: bool) -> Faces:
    """The same, with how small a face would have been found."""
    smallest = smallest_sought(faces.width, faces.height, tiles=tiles, found=bool(faces.faces))
    return replace(faces, smallest=smallest)


def _skip(watch: Stopwatch, steps: tuple[str, ...]) -> None:
    """End steps at once: the first one stands for the time since the step before."""
    for step in steps:
        watch.lap(step)
