"""The pipeline, read top to bottom: detect, landmarks, align, warp, blend, age where asked for, encode.

sources ─► decode ─► detect ─► landmarks ─► gate ─► prepare ─┐
target  ─► decode ─► detect ─► landmarks ─► gate ─► prepare ─┴► align ─► warp ─► colour ─► blend ─► encode
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from facefleet.assignments import SOURCE_ROLES, check_sources
from facefleet.engine.about import SOURCE, TARGET, about
from facefleet.engine.aging.ager import Ager, DetailAger
from facefleet.engine.cache import Cache, Lent
from facefleet.engine.codec.image import Frame, encode
from facefleet.engine.memory import named_shortage
from facefleet.engine.mesh.check import place
from facefleet.engine.mesh.prepared import Portrait, Prepared
from facefleet.engine.mesh.swapper import MeshSwapper, Swapper, practice_portrait
from facefleet.engine.models.session import Session
from facefleet.engine.photos import LOCATE_STEPS, Photos, SourcePhoto, TargetPhoto
from facefleet.engine.steps.blend import blend
from facefleet.engine.steps.detect import Detector
from facefleet.engine.steps.draw import draw
from facefleet.engine.steps.gate import choose_targets, skipped
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.steps.locate import relocated
from facefleet.engine.stopwatch import Checkpoint, Stopwatch
from facefleet.engine.types import Face, Faces, Fusion, ModelFiles, Picture, Pixels
from facefleet.errors.input import FusionQualityLow
from facefleet.errors.model import ModelUnknown
from facefleet.media.sniff import Limits
from facefleet.options import AgeOptions, FuseOptions

FULL_RANGE = "face_detection_full_range"
SHORT_RANGE = "face_detection_short_range"
LANDMARK = "face_landmark"

_FACE_STEPS = 5  # prepare, align, warp, colour, blend; to age is one more
KEPT_SECONDS = 600.0


class Engine:
    """Face fusion on arrays and bytes. Safe to call from several threads.

    Args:
        models: Name to files; the three names above are needed.
        interpreters: Copies of each model, so many callers can be inside a model at once.
        runtime_threads: Threads of each interpreter.
        limits: What one photo may measure.
        cache_bytes: How much may be kept of photos that come again; 0: nothing.
        cache_seconds: How long.
        clock: Seconds, for the timings.

    Raises:
        ModelUnknown: One of the models is not among ``models``.
        ModelLoadFailed: The runtime does not accept the weights.
    """

    def __init__(
        self,
        models: Mapping[str, ModelFiles],
        *,
        interpreters: int = 1,
        runtime_threads: int = 1,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        cache_bytes: int = 0,
        cache_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        names = (FULL_RANGE, SHORT_RANGE, LANDMARK)
        self._models = [_wanted(models, name) for name in names]
        self._sessions = [
            Session(model, interpreters=interpreters, runtime_threads=runtime_threads) for model in self._models
        ]
        full, short, landmark = self._sessions
        self._landmarker = Landmarker(landmark)
        self._swapper: Swapper = MeshSwapper()
        self._ager: Ager = DetailAger()
        self._limits = limits
        self._clock = clock
        self._cache = Cache(cache_bytes, cache_seconds)
        self._photos = Photos(
            Detector(full, short), self._landmarker, self._swapper, limits, self._cache, self.versions
        )

    @property
    def versions(self) -> dict[str, str]:
        """Name to version of the models that every fusion uses."""
        return {model.name: model.version for model in self._models}

    def warm(self) -> None:
        """Run every interpreter once on empty input, and the swapper once on a made-up face.

        Raises:
            ModelLoadFailed: The runtime cannot run the weights.
        """
        for session in self._sessions:
            session.warm()
        practice = self._swapper.prepare(practice_portrait(), below=True)
        self._swapper.swap(practice, practice, shape=0.5, lap=lambda _: None)

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

    def prepare_source(self, source: bytes, *, source_face: int | None = None, tiles: bool = False) -> None:
        """Make a source ready and keep its face, at its first sight, for the fusions that come soon.

        Raises:
            ImageError: The photo cannot be used.
            FaceError: The face is missing or cannot be fused.
            OutOfMemory: The photo does not fit into what is left.
        """
        with named_shortage():
            self._photos.source(source, 0, (source_face,), Stopwatch(self._clock), tiles=tiles, keep=True)

    def prepare_target(self, target: bytes, *, tiles: bool = False) -> Faces:
        """Make a target ready and keep it, at its first sight, for the fusions that come soon; errors as above."""
        with named_shortage():
            return self._photos.target(target, Stopwatch(self._clock), tiles=tiles, keep=True).faces

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
    ) -> Fusion:
        """Put faces of one or more photos into another.

        Args:
            source: File with the face to take; source 0 of the assignments.
            target: File to put it into; its format is the result's.
            options: What the caller chose.
            more_sources: Sources 1, 2, … of the assignments.
            keep_target: Many fusions into this target come soon: it is kept at its first sight.
            checkpoint: Called between steps.

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
            return self._fuse(photos, target, options, Stopwatch(self._clock, checkpoint), keep=keep_target)

    def _fuse(
        self, sources: Sequence[bytes], target: bytes, options: FuseOptions, watch: Stopwatch, *, keep: bool
    ) -> Fusion:
        assigned = max(1, len(options.faces))
        watch.expect((len(sources) + 1) * len(LOCATE_STEPS) + assigned * (_FACE_STEPS + 1) + 1)
        givers = self._sources(sources, options, watch)
        with about(TARGET):
            taking = self._photos.target(target, watch, tiles=options.tiles, keep=keep)
            pairs = _pairs([giver.value for giver in givers], taking.faces, options)
        watch.expect(len(pairs) * (_FACE_STEPS + bool(options.age)) + 1)
        canvas, placed = self._fused(pairs, taking, options, watch)
        picture = _encoded(taking.frame.with_pixels(canvas))
        watch.lap("encode")
        return Fusion(
            picture, tuple(placed), watch.timings_ms, self.versions, self._known(givers, taking),
            tuple(placed.values()), skipped(taking.faces, placed, options.target_face),
        )  # fmt: skip

    def _sources(self, sources: Sequence[bytes], options: FuseOptions, watch: Stopwatch) -> list[Lent[SourcePhoto]]:
        found = []
        for number, photo in enumerate(sources):
            with about(SOURCE, number if len(sources) > 1 else None):
                found.append(self._photos.source(photo, number, options.wanted(number), watch, tiles=options.tiles))
        return found

    def _fused(
        self, pairs: Iterable[tuple[Prepared, Face]], taking: TargetPhoto, options: FuseOptions, watch: Stopwatch
    ) -> tuple[Pixels, dict[Face, float]]:
        """The target's pixels with every face laid over, and how strongly each was blended in.

        All are prepared before the first is laid over: each from the photo. Of ``"all"``, a face whose result does not
        look right is left as it is, unless that is true of every one.
        """
        canvas = taking.canvas()
        ready = [(source, self._photos.face(taking, face, watch)) for source, face in pairs]
        placed: dict[Face, float] = {}
        refusal: FusionQualityLow | None = None
        for source, under in ready:
            try:
                placed[under.face] = self._placed(canvas, source, under, options, watch)
            except FusionQualityLow as error:
                if options.target_face != "all":
                    raise
                refusal = refusal or error
        if refusal is not None and not placed:
            raise refusal
        return canvas, placed

    def _placed(
        self, canvas: Pixels, source: Prepared, under: Prepared, options: FuseOptions, watch: Stopwatch
    ) -> float:
        layer = self._swapper.swap(source, under, options.shape, watch.lap)
        strength = place(canvas, layer, under, self._landmarker, options.strength, options.min_strength)
        watch.lap("blend")
        if options.age:
            self._age(canvas, relocated(canvas, under.face, self._landmarker), options.age, watch)
        return strength

    def age(self, image: bytes, options: AgeOptions, *, checkpoint: Checkpoint | None = None) -> Fusion:
        """Make a face of a photo younger or older, without a fusion; experimental.

        Args:
            image: The photo; its format is the result's.
            options: By how much, and which face.
            checkpoint: Called between steps.

        Raises:
            ImageError: The photo cannot be used.
            FaceError: A face is missing or cannot be aged well.
            OutOfMemory: The photo does not fit into what is left.
        """
        with named_shortage():
            watch = Stopwatch(self._clock, checkpoint)
            watch.expect(len(LOCATE_STEPS) + 2)
            taking = self._photos.target(image, watch, tiles=False)
            faces = choose_targets(taking.faces, options.target_face)
            canvas = taking.canvas()
            for face in faces if options.age else ():
                self._age(canvas, face, options.age, watch)
            picture = _encoded(taking.frame.with_pixels(canvas))
            watch.lap("encode")
            return Fusion(
                picture, faces, watch.timings_ms, self.versions, self._known([], taking),
                skipped=skipped(taking.faces, faces, options.target_face),
            )  # fmt: skip

    def _age(self, canvas: Pixels, face: Face, amount: float, watch: Stopwatch) -> None:
        blend(canvas, self._ager.age(Portrait(canvas, face), amount), 1.0)
        watch.lap("age")

    def _known(self, givers: Sequence[Lent[SourcePhoto]], taking: TargetPhoto) -> dict[str, bool]:
        if not self._cache.keeps:
            return {}
        return {role: giver.hit for role, giver in zip(SOURCE_ROLES, givers, strict=False)} | {"target": taking.known}

    def draw(self, image: bytes, *, tiles: bool = False) -> Picture:
        """An annotated copy in the same format: boxes, numbers, five points, sparse mesh.

        Raises:
            ImageError: The photo cannot be used.
        """
        with named_shortage():
            frame, faces = self._photos.located(image, Stopwatch(self._clock), tiles=tiles)
            frame = frame.in_srgb()
            return _encoded(frame.with_pixels(draw(frame.pixels, faces)))


def _encoded(frame: Frame) -> Picture:
    return Picture(encode(frame), frame.type)


def _pairs(sources: Sequence[SourcePhoto], found: Faces, options: FuseOptions) -> list[tuple[Prepared, Face]]:
    """Who goes where, by the order of the target's faces."""
    if not options.faces:
        giver = sources[0].faces[options.source_face]
        return [(giver, face) for face in choose_targets(found, options.target_face)]
    return [
        (sources[one.source].faces[one.source_face], face)
        for one in sorted(options.faces, key=lambda one: one.target_face)
        for face in choose_targets(found, one.target_face)
    ]


def _wanted(models: Mapping[str, ModelFiles], name: str) -> ModelFiles:
    if name not in models:
        raise ModelUnknown(f"The engine needs the model {name}; add it to the manifest.", name=name)
    return models[name]
