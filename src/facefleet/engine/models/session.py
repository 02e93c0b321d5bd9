"""A pool of warmed LiteRT interpreters for one model; every inference of the pipeline goes through one.

An interpreter is not safe to share between threads: it answers wrongly without saying so. A session therefore lends
each of its interpreters to one caller at a time, and what it returns is a copy.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from facefleet.engine.types import Floats, ModelFiles
from facefleet.errors.model import ModelLoadFailed


class Session:
    """``interpreters`` copies of one model.

    Args:
        model: One ``.tflite`` file with one float32 image input.
        interpreters: How many callers can run at once.
        runtime_threads: Threads each interpreter may use.

    Raises:
        ModelLoadFailed: The file is missing, damaged, or not one model of one file.
    """

    def __init__(self, model: ModelFiles, *, interpreters: int = 1, runtime_threads: int = 1) -> None:
        self.model = model
        # Last in, first out: the interpreter used last has its weights in the processor's cache.
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        self._all = [_load(model, runtime_threads) for _ in range(interpreters)]
        first = self._all[0]
        self.input_shape: tuple[int, ...] = tuple(int(n) for n in first.get_input_details()[0]["shape"])
        self._input: int = first.get_input_details()[0]["index"]
        self._outputs: list[int] = [output["index"] for output in first.get_output_details()]
        for interpreter in self._all:
            self._free.put(interpreter)

    @property
    def size(self) -> int:
        """Side of the square input, px."""
        return self.input_shape[1]

    def warm(self) -> None:
        """Run every interpreter once on empty input, so that the first caller pays nothing.

        Raises:
            ModelLoadFailed: The runtime cannot run the weights.
        """
        leased = [self._free.get() for _ in self._all]
        try:
            for interpreter in leased:
                self._invoke(interpreter, np.zeros(self.input_shape, np.float32))
        except (RuntimeError, ValueError) as error:
            raise _load_failed(self.model, error) from error
        finally:
            for interpreter in leased:
                self._free.put(interpreter)

    def run(self, tensor: Floats) -> list[Floats]:
        """One inference; waits while every interpreter is lent.

        Args:
            tensor: ``input_shape`` float32.

        Returns:
            The outputs in the model's order, copied out.
        """
        with self._lease() as interpreter:
            return self._invoke(interpreter, tensor)

    @contextmanager
    def _lease(self) -> Iterator[Any]:
        interpreter = self._free.get()
        try:
            yield interpreter
        finally:
            self._free.put(interpreter)

    def _invoke(self, interpreter: Any, tensor: Floats) -> list[Floats]:
        interpreter.set_tensor(self._input, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(output) for output in self._outputs]  # get_tensor copies


def _load(model: ModelFiles, threads: int) -> Any:
    paths = list(model.files.values())
    if len(paths) != 1:
        raise ModelLoadFailed(
            f"Model {model.name} has {len(paths)} files; exactly one .tflite file is needed.",
            model=model.name, version=model.version,
        )  # fmt: skip
    try:
        # From memory, not from the path: a file replaced under a running worker must not change what it computes.
        interpreter = Interpreter(model_content=paths[0].read_bytes(), num_threads=threads)
        interpreter.allocate_tensors()
    except (OSError, RuntimeError, ValueError) as error:
        raise _load_failed(model, error) from error
    return interpreter


def _load_failed(model: ModelFiles, error: Exception) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"The runtime does not accept the weights of {model.name} {model.version}: {error}. Fetch the model again.",
        model=model.name, version=model.version,
    )  # fmt: skip
