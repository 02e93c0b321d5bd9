"""Defines what the engine asks of a loaded model, whatever runtime runs it: named arrays in, named arrays out.

The first axis of every array is the model batch: rows that go through the model together. A session states the shapes
it takes, so that one in front of another may join the rows of several callers and part them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from facefleet.engine.types import ModelFiles

Tensor = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: As the model calls it.
        shape: Length of each axis; None where the model takes any.
        dtype: Of the values.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Session(Protocol):
    """A model ready to run. Safe to call from several threads."""

    @property
    def model(self) -> ModelFiles:
        """Which model it is."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What ``run`` takes, in the model's order."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What ``run`` gives, in the model's order."""

    def run(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Run the model once.

        Args:
            batch: Name of each input to its array.

        Returns:
            Name of each output to its array, in the model's order; the caller owns the arrays.
        """

    def warm(self) -> None:
        """Run the model on empty input, so that the first caller does not pay for what happens once.

        Raises:
            ModelLoadFailed: The runtime cannot run the weights.
        """


class ImageModel:
    """A model whose only input is one square image a row.

    Args:
        session: Runs it; its input is ``(N, size, size, 3)`` float32.
    """

    def __init__(self, session: Session) -> None:
        (self._input,) = session.inputs
        self._session = session
        side = self._input.shape[1]
        assert side is not None  # noqa: S101 - the models that are read this way have a fixed size
        self.size = side

    def run(self, images: Tensor) -> tuple[Tensor, ...]:
        """The outputs, in the model's order.

        Args:
            images: ``(N, size, size, 3)`` float32.
        """
        return tuple(self._session.run({self._input.name: images}).values())

    def warm(self) -> None:
        """See ``Session``."""
        self._session.warm()
