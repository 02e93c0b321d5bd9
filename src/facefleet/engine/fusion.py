"""The pipeline, read top to bottom: detect, landmarks, align, warp, blend, encode.

source ─► decode ─► detect ─► landmarks ─► gate ─┐
target ─► decode ─► detect ─► landmarks ─► gate ─┴► align ─► warp ─► colour ─► blend ─► encode
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from facefleet.engine.image import Frame, decode, encode
from facefleet.engine.memory import named_shortage
from facefleet.engine.models.session import Session
from facefleet.engine.steps.check import place
from facefleet.engine.steps.detect import Detector
from facefleet.engine.steps.draw import draw
from facefleet.engine.steps.gate import choose_source, choose_targets
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.steps.locate import locate
from facefleet.engine.steps.prepared import Portrait
from facefleet.engine.steps.swap import MeshSwapper, Swapper, practice_portrait
from facefleet.engine.types import Faces, FuseOptions, Fusion, ModelFiles
from facefleet.errors import ModelUnknown
from facefleet.media.sniff import Limits

FULL_RANGE = "face_detection_full_range"
SHORT_RANGE = "face_detection_short_range"
LANDMARK = "face_landmark"

Checkpoint = Callable[[str], None]
"""Called with a step's name when it has ended; may raise to end the work there."""


class Engine:
    """Face fusion on arrays and bytes. Safe to call from several threads.

    Args:
        models: Name to files; the three names above are needed.
        interpreters: Copies of each model, so many callers can be inside a model at once.
        runtime_threads: Threads of each interpreter.
        limits: What one photo may measure.
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
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        names = (FULL_RANGE, SHORT_RANGE, LANDMARK)
        self._models = [_wanted(models, name) for name in names]
        self._sessions = [
            Session(model, interpreters=interpreters, runtime_threads=runtime_threads) for model in self._models
        ]
        full, short, landmark = self._sessions
        self._detector = Detector(full, short)
        self._landmarker = Landmarker(landmark)
        self._swapper: Swapper = MeshSwapper()
        self._limits = limits
        self._clock = clock

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
        practice = self._swapper.prepare(practice_portrait())
        self._swapper.swap(practice, practice, shape=0.5, lap=lambda _: None)

    def faces(self, image: bytes) -> Faces:
        """Every face of a photo, the largest first; no face is no error.

        Raises:
            ImageError: The photo cannot be used.
        """
        with named_shortage():
            return self._locate(decode(image, self._limits), Stopwatch(self._clock))

    def fuse(
        self,
        source: bytes,
        target: bytes,
        options: FuseOptions = FuseOptions(),  # noqa: B008 - frozen
        *,
        checkpoint: Checkpoint | None = None,
    ) -> Fusion:
        """Put the face of one photo into another.

        Args:
            source: File with the face to take.
            target: File to put it into; its format is the result's.
            options: What the caller chose.
            checkpoint: Called between steps.

        Raises:
            ImageError: A photo cannot be used.
            FaceError: A face is missing or cannot be fused well.
            OutOfMemory: The photos do not fit into what is left.
        """
        with named_shortage():
            return self._fuse(source, target, options, Stopwatch(self._clock, checkpoint))

    def _fuse(self, source: bytes, target: bytes, options: FuseOptions, watch: Stopwatch) -> Fusion:
        source_frame, target_frame = decode(source, self._limits), decode(target, self._limits)
        watch.lap("decode")
        giver = choose_source(self._locate(source_frame, watch), options.source_face)
        takers = choose_targets(self._locate(target_frame, watch), options.target_face)
        canvas = target_frame.pixels  # decoded for this call, so it can be written to; a copy of 12 MP takes 4 ms
        ready = self._swapper.prepare(Portrait(source_frame.pixels, giver))
        strengths = []
        for taker in takers:
            under = self._swapper.prepare(Portrait(canvas, taker))
            layer = self._swapper.swap(ready, under, options.shape, watch.lap)
            strengths.append(place(canvas, layer, under, self._landmarker, options.strength, options.min_strength))
            watch.lap("blend")
        image = encode(target_frame)
        watch.lap("encode")
        return Fusion(image, target_frame.type, takers, watch.timings_ms, self.versions, tuple(strengths))

    def draw(self, image: bytes) -> bytes:
        """An annotated copy in the same format: boxes, numbers, five points, sparse mesh.

        Raises:
            ImageError: The photo cannot be used.
        """
        with named_shortage():
            frame = decode(image, self._limits)
            return encode(frame.with_pixels(draw(frame.pixels, self._locate(frame, Stopwatch(self._clock)))))

    def _locate(self, frame: Frame, watch: Stopwatch) -> Faces:
        faces = locate(frame.pixels, [], self._landmarker)
        for detections in self._detector.looks(frame.pixels):
            watch.lap("detect")
            faces = locate(frame.pixels, detections, self._landmarker)
            watch.lap("landmarks")
            if faces.faces:
                break
        return faces


class Stopwatch:
    """Milliseconds per step; a step that runs twice adds up."""

    def __init__(self, clock: Callable[[], float], checkpoint: Checkpoint | None = None) -> None:
        self._clock = clock
        self._checkpoint = checkpoint
        self._last = clock()
        self.timings_ms: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """The step has ended; what the checkpoint takes counts for no step."""
        self.timings_ms[step] = self.timings_ms.get(step, 0.0) + (self._clock() - self._last) * 1000
        if self._checkpoint is not None:
            self._checkpoint(step)
        self._last = self._clock()


def _wanted(models: Mapping[str, ModelFiles], name: str) -> ModelFiles:
    if name not in models:
        raise ModelUnknown(f"The engine needs the model {name}; add it to the manifest.", name=name)
    return models[name]
