"""Runs a model by LiteRT: a pool of interpreters, each lent to one caller at a time.

An interpreter is not safe to share between threads: it answers wrongly without saying so. What a session returns is a
copy, so an interpreter may be lent again at once.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from facefleet.engine.models.quiet import without_note
from facefleet.engine.models.session import Tensor, TensorSpec
from facefleet.engine.models.smaller import for_side
from facefleet.engine.types import ModelFiles
from facefleet.errors.model import ModelLoadFailed


class LiteRtSession:
    """``interpreters`` copies of one model; a ``Session`` whose shapes are those of the file, so its batch is fixed.

    Args:
        model: One ``.tflite`` file.
        interpreters: How many callers can run at once.
        runtime_threads: Threads each interpreter may use.
        side: px, of the square image that it shall take; None: as the file has it.

    Raises:
        ModelLoadFailed: The file is missing, damaged, or not one model of one file.
    """

    def __init__(
        self, model: ModelFiles, *, interpreters: int = 1, runtime_threads: int = 1, side: int | None = None
    ) -> None:
        self.model = model
        self._all = [_load(model, runtime_threads, side) for _ in range(interpreters)]
        first = self._all[0]
        self.inputs, self._input_indices = _specs(first.get_input_details())
        self.outputs, self._output_indices = _specs(first.get_output_details())
        # Last in, first out: the interpreter used last has its weights in the processor's cache.
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        for interpreter in self._all:
            self._free.put(interpreter)

    def warm(self) -> None:
        """Run every interpreter once on empty input; errors as in ``Session``."""
        empty = {spec.name: np.zeros([side or 1 for side in spec.shape], spec.dtype) for spec in self.inputs}
        leased = [self._free.get() for _ in self._all]
        try:
            for interpreter in leased:
                self._invoke(interpreter, empty)
        except (RuntimeError, ValueError) as error:
            raise _load_failed(self.model, error) from error
        finally:
            for interpreter in leased:
                self._free.put(interpreter)

    def run(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """One inference; waits while every interpreter is lent. Arguments and result are those of ``Session``."""
        with self._lease() as interpreter:
            return self._invoke(interpreter, batch)

    @contextmanager
    def _lease(self) -> Iterator[Any]:
        interpreter = self._free.get()
        try:
            yield interpreter
        finally:
            self._free.put(interpreter)

    def _invoke(self, interpreter: Any, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        for name, index in self._input_indices.items():
            interpreter.set_tensor(index, batch[name])
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in self._output_indices.items()}  # copies


def _specs(details: list[dict[str, Any]]) -> tuple[tuple[TensorSpec, ...], dict[str, int]]:
    """The tensors of one side of a model, and name to the interpreter's index of each."""
    specs = tuple(
        TensorSpec(one["name"], tuple(int(side) for side in one["shape"]), np.dtype(one["dtype"])) for one in details
    )
    return specs, {one["name"]: one["index"] for one in details}


def _load(model: ModelFiles, threads: int, side: int | None) -> Any:
    paths = list(model.files.values())
    if len(paths) != 1:
        raise ModelLoadFailed(
            f"Model {model.name} has {len(paths)} files; exactly one .tflite file is needed.",
            model=model.name, version=model.version,
        )  # fmt: skip
    try:
        # From memory, not from the path: a file replaced under a running worker must not change what it computes.
        weights = paths[0].read_bytes()
        with without_note():
            interpreter = _interpreter(weights, threads) if side is None else _smaller(weights, threads, side)
            interpreter.allocate_tensors()
    except (OSError, RuntimeError, ValueError) as error:
        raise _load_failed(model, error) from error
    return interpreter


def _interpreter(weights: bytes, threads: int) -> Any:
    return Interpreter(model_content=weights, num_threads=threads)


def _smaller(weights: bytes, threads: int, side: int) -> Any:
    """An interpreter of the same model for square images of another side."""
    _interpreter(weights, threads)  # verifies the file, which is then read without
    interpreter = _interpreter(for_side(weights, side), threads)
    (image,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(image["index"], [1, side, side, int(image["shape"][3])])
    return interpreter


def _load_failed(model: ModelFiles, error: Exception) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"The runtime does not accept the weights of {model.name} {model.version}: {error}. Fetch the model again.",
        model=model.name, version=model.version,
    )  # fmt: skip
