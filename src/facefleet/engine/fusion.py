"""Runs the pipeline, read top to bottom: detect, landmarks, prepare, swap, blend, age where asked for, encode.

sources ─► decode ─► inspect ─► detect ─► landmarks ─► gate ─► prepare ─┐
target  ─► decode ─► inspect ─► detect ─► landmarks ─► gate ─► prepare ─┴► swap ─► blend ─► check ─► inspect ─► encode
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from facefleet.assignments import SOURCE_ROLES, check_sources
from facefleet.engine.aging.ager import Ager
from facefleet.engine.cache import Cache, Cached
from facefleet.engine.codec.image import Frame, encode
from facefleet.engine.inspector import Inspected, Inspector, Shown, Tell, admit, tell_nobody
from facefleet.engine.memory import named_shortage
from facefleet.engine.photo_role import IMAGE, SOURCE, TARGET, naming_photo
from facefleet.engine.photos import Photos, SourcePhoto, TargetPhoto
from facefleet.engine.steps.blend import blend
from facefleet.engine.steps.check import blend_checked
from facefleet.engine.steps.detect import Detector
from facefleet.engine.steps.draw import draw
from facefleet.engine.steps.gate import choose_targets, skipped
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.steps.locate import relocated
from facefleet.engine.stopwatch import Checkpoint, Stopwatch
from facefleet.engine.swapper import AnySwapper, Source, Target
from facefleet.engine.types import Face, Faces, Fusion, Picture, Pixels, Portrait
from facefleet.errors.input import FaceError, FaceOccluded, FaceOverexposed, FusionQualityLow
from facefleet.media.sniff import Limits
from facefleet.options import AgeOptions, FuseOptions, TargetFace


class Engine:
    """Face fusion on arrays and bytes. Safe to call from several threads; ``build_engine`` makes one.

    Args:
        detector: Finds faces.
        landmarker: Measures them.
        swapper: Puts one into another.
        ager: Makes them younger or older.
        inspector: Looks at photos and results, and may refuse them.
        versions: Name to version of the models that every fusion uses.
        limits: What one photo may measure.
        cache: What is kept of photos that come again.
        clock: Seconds, for the timings.
    """

    def __init__(
        self,
        *,
        detector: Detector,
        landmarker: Landmarker,
        swapper: AnySwapper,
        ager: Ager,
        inspector: Inspector,
        versions: Mapping[str, str],
        limits: Limits,
        cache: Cache,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._detector = detector
        self._landmarker = landmarker
        self._swapper = swapper
        self._ager = ager
        self._inspector = inspector
        self._versions = dict(versions)
        self._cache = cache
        self._clock = clock
        self._photos = Photos(detector, landmarker, swapper, inspector, limits, cache, versions)
        self._face_steps = len(("prepare", *swapper.steps, "blend"))
        self._end_steps = len((*inspector.steps, "encode"))

    @property
    def versions(self) -> dict[str, str]:
        """Name to version of the models that every fusion uses."""
        return dict(self._versions)

    def warm(self) -> None:
        """Have every part do once what the first fusion would else wait for.

        Raises:
            ModelLoadFailed: A runtime cannot run the weights.
        """
        for part in (self._detector, self._landmarker, self._swapper, self._ager, self._inspector):
            part.warm()

    def faces(self, image: bytes, *, tiles: bool = False) -> Faces:
        """Every face of a photo, in the order in which they are numbered; no face is no error.

        Args:
            image: File.
            tiles: Find small faces beside large ones, too. A fusion with the same choice numbers faces alike.

        Raises:
            ImageError: The photo cannot be used.
        """
        with named_shortage():
            return self._photos.faces(image, Stopwatch(self._clock), tiles=tiles)

    def prepare_target(self, target: bytes, *, tiles: bool = False, tell: Tell = tell_nobody) -> Faces:
        """Locate the faces of a target and keep it, at its first sight, for the fusions that come soon.

        Args:
            target: File.
            tiles: Find small faces beside large ones, too.
            tell: Told of the photo's inspection.

        Raises:
            ImageError: The photo cannot be used.
            OutOfMemory: The photo does not fit into what is left.
        """
        with named_shortage():
            return self._photos.target(target, Stopwatch(self._clock), tiles=tiles, keep=True, tell=tell).faces

    def forget(self) -> None:
        """Let go of all that is kept of photos."""
        self._cache.clear()

    def fuse(
        self,
        source: bytes,
        target: bytes,
        options: FuseOptions = FuseOptions(),  # noqa: B008 - frozen
        *,
        more_sources: Sequence[bytes] = (),
        keep_target: bool = False,
        checkpoint: Checkpoint | None = None,
        tell: Tell = tell_nobody,
    ) -> Fusion:
        """Put faces of one or more photos into another.

        Args:
            source: File with the face to take; source 0 of the assignments.
            target: File to put it into; its format is the result's.
            options: What the caller chose.
            more_sources: Sources 1, 2, … of the assignments.
            keep_target: Many fusions into this target come soon: it is kept at its first sight.
            checkpoint: Called between steps.
            tell: Told of the inspections of all photos, in the order of the photos.

        Raises:
            OptionInvalid: The assignments do not fit the sources.
            ImageError: A photo cannot be used.
            FaceError: A face is missing or cannot be fused well.
            OutOfMemory: The photos do not fit into what is left.

        What refuses a photo has its ``field`` in the detail, and its ``number`` where there are several sources.
        """
        photos = (source, *more_sources)
        check_sources(options.faces, len(photos))
        with named_shortage():
            return self._fuse(photos, target, options, Stopwatch(self._clock, checkpoint), tell, keep=keep_target)

    def _fuse(
        self, photos: Sequence[bytes], photo: bytes, options: FuseOptions, watch: Stopwatch, tell: Tell, *, keep: bool
    ) -> Fusion:
        assigned = max(1, len(options.faces))
        each = len(self._photos.locate_steps)
        watch.expect((len(photos) + 1) * each + assigned * (self._face_steps + 1) + self._end_steps)
        sources = self._sources(photos, options, watch, tell)
        with naming_photo(TARGET):
            target = self._photos.target(photo, watch, tiles=options.tiles, keep=keep, tell=tell)
            pairs = _pairs([source.value for source in sources], target.faces, options)
        watch.expect(len(pairs) * (self._face_steps + bool(options.age)) + self._end_steps)
        canvas, strengths, refused = self._blend_all(pairs, target, options, watch)
        picture = self._finish(target.frame, canvas, watch, tell)
        return Fusion(
            picture, tuple(strengths), watch.timings_ms, self.versions, self._cache_hits(sources, target),
            tuple(strengths.values()), skipped(target.faces, strengths, options.target_face, refused),
        )  # fmt: skip

    def _sources(
        self, photos: Sequence[bytes], options: FuseOptions, watch: Stopwatch, tell: Tell
    ) -> list[Cached[SourcePhoto]]:
        sources = []
        for number, photo in enumerate(photos):
            wanted = options.wanted(number)
            with naming_photo(SOURCE, number if len(photos) > 1 else None):
                sources.append(self._photos.source(photo, number, wanted, watch, tiles=options.tiles, tell=tell))
        return sources

    def _blend_all(
        self, pairs: Iterable[tuple[Source, Face]], target: TargetPhoto, options: FuseOptions, watch: Stopwatch
    ) -> tuple[Pixels, dict[Face, float], dict[int, str]]:
        """The target's pixels with every face laid over, how strongly each was blended in, and who was refused why.

        All are prepared before the first is laid over: each from the photo. Of ``"all"``, a face whose result does not
        look right is left as it is, unless that is true of every one.
        """
        canvas = target.canvas()
        prepared: list[tuple[Source, Target]] = []
        strengths: dict[Face, float] = {}
        refusals: dict[int, FaceError] = {}
        for source, face in pairs:
            with _collected(refusals, face, options.target_face), naming_photo(TARGET):
                prepared.append((source, self._photos.target_face(target, face, watch)))
        for source, below in prepared:
            with _collected(refusals, below.face, options.target_face):
                strengths[below.face] = self._blend(canvas, source, below, options, watch)
        if refusals and not strengths:
            raise next(iter(refusals.values()))
        return canvas, strengths, {index: error.code for index, error in refusals.items()}

    def _blend(self, canvas: Pixels, source: Source, target: Target, options: FuseOptions, watch: Stopwatch) -> float:
        """Lay one face over the canvas; returns how strongly it was blended in."""
        layer = self._swapper.swap(source, target, options, watch.lap)
        strength = blend_checked(canvas, layer, self._landmarker, options.strength, options.weakest)
        watch.lap("blend")
        if options.age:
            self._age(canvas, relocated(canvas, target.face, self._landmarker), options.age, watch)
        return strength

    def age(
        self, image: bytes, options: AgeOptions, *, checkpoint: Checkpoint | None = None, tell: Tell = tell_nobody
    ) -> Fusion:
        """Make a face of a photo younger or older, without a fusion; experimental.

        Args:
            image: The photo; its format is the result's.
            options: By how much, and which face.
            checkpoint: Called between steps.
            tell: Told of the inspections of photo and result.

        Raises:
            ImageError: The photo cannot be used.
            FaceError: A face is missing or cannot be aged well.
            OutOfMemory: The photo does not fit into what is left.
        """
        with named_shortage():
            watch = Stopwatch(self._clock, checkpoint)
            watch.expect(len(self._photos.locate_steps) + 1 + self._end_steps)
            target = self._photos.target(image, watch, tiles=False, tell=tell)
            faces = choose_targets(target.faces, options.target_face, IMAGE)
            canvas = target.canvas()
            for face in faces if options.age else ():
                self._age(canvas, face, options.age, watch)
            picture = self._finish(target.frame, canvas, watch, tell)
            return Fusion(
                picture, faces, watch.timings_ms, self.versions, self._cache_hits([], target),
                skipped=skipped(target.faces, faces, options.target_face),
            )  # fmt: skip

    def _age(self, canvas: Pixels, face: Face, amount: float, watch: Stopwatch) -> None:
        blend(canvas, self._ager.age(Portrait(canvas, face), amount), 1.0)
        watch.lap("age")

    def _finish(self, frame: Frame, canvas: Pixels, watch: Stopwatch, tell: Tell) -> Picture:
        """The result as a file, once the inspector has let it pass."""
        inspection = admit(self._inspector, Shown(canvas), Inspected.RESULT, tell)
        if inspection is not None:
            tell(inspection)
        for step in self._inspector.steps:
            watch.lap(step)
        picture = _encoded(frame.with_pixels(canvas))
        watch.lap("encode")
        return picture

    def _cache_hits(self, sources: Sequence[Cached[SourcePhoto]], target: TargetPhoto) -> dict[str, bool]:
        if not self._cache.keeps:
            return {}
        return {role: source.hit for role, source in zip(SOURCE_ROLES, sources, strict=False)} | {"target": target.hit}

    def draw(self, image: bytes, *, tiles: bool = False) -> Picture:
        """An annotated copy in the same format: boxes, numbers, five points, sparse mesh.

        Raises:
            ImageError: The photo cannot be used.
        """
        with named_shortage():
            located = self._photos.located(image, Stopwatch(self._clock), tiles=tiles)
            frame = located.frame.in_srgb()
            return _encoded(frame.with_pixels(draw(frame.pixels, located.faces)))


def _encoded(frame: Frame) -> Picture:
    return Picture(encode(frame), frame.type)


@contextmanager
def _collected(refusals: dict[int, FaceError], face: Face, which: TargetFace) -> Iterator[None]:
    """Of ``"all"`` faces, one that is hidden, burnt out or whose result does not look right is left as it is."""
    try:
        yield
    except (FaceOccluded, FaceOverexposed, FusionQualityLow) as error:
        if which != "all":
            raise
        refusals[face.index] = error


def _pairs(sources: Sequence[SourcePhoto], faces: Faces, options: FuseOptions) -> list[tuple[Source, Face]]:
    """Which source's face replaces which face of the target, by the order of the target's faces."""
    if not options.faces:
        source = sources[0].faces[options.source_face]
        return [(source, face) for face in choose_targets(faces, options.target_face)]
    return [
        (sources[one.source].faces[one.source_face], face)
        for one in sorted(options.faces, key=lambda one: one.target_face)
        for face in choose_targets(faces, one.target_face)
    ]
