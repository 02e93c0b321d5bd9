"""Runs a model by ONNX Runtime on the CPU; one session serves every caller at once.

ONNX Runtime may be entered by any number of threads: each run has buffers of its own, and with one thread a run it
stays on its caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnxruntime

from facefleet.engine.models.session import Tensor, TensorSpec
from facefleet.engine.types import ModelFiles
from facefleet.errors.model import ModelLoadFailed

_PROVIDERS = ("CPUExecutionProvider",)
_FATAL = 4  # severity: what it logs below that comes as an exception, too
_DTYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(int32)": np.int32, "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}  # fmt: skip


class OnnxSession:
    """One model; a ``Session`` whose batch is free where the file leaves it free.

    Args:
        model: Its first file is a ``.onnx`` file that holds its weights.
        runtime_threads: Threads that one run may use.

    Raises:
        ModelLoadFailed: The file is missing or damaged, or asks for what the runtime does not know.
    """

    def __init__(self, model: ModelFiles, *, runtime_threads: int = 1) -> None:
        self.model = model
        self._session = _load(model, runtime_threads)
        self.inputs = _specs(model, self._session.get_inputs())
        self.outputs = _specs(model, self._session.get_outputs())
        self._output_names = [spec.name for spec in self.outputs]

    def run(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """One inference; arguments and result are those of ``Session``."""
        outputs = self._session.run(self._output_names, dict(batch))
        return dict(zip(self._output_names, outputs, strict=True))

    def warm(self) -> None:
        """Run once on empty input; errors as in ``Session``."""
        empty = {spec.name: np.zeros([side or 1 for side in spec.shape], spec.dtype) for spec in self.inputs}
        try:
            self.run(empty)
        except Exception as error:
            raise _load_failed(self.model, error) from error


def _load(model: ModelFiles, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    try:
        # From memory, not from the path: a file replaced under a running worker must not change what it computes.
        weights = next(iter(model.files.values())).read_bytes()
        return onnxruntime.InferenceSession(weights, options, providers=list(_PROVIDERS))
    except Exception as error:  # the runtime's errors have no common class of their own
        raise _load_failed(model, error) from error


def _specs(model: ModelFiles, arguments: Iterable[Any]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(one.name, _shape(one.shape), _dtype(model, one)) for one in arguments)


def _shape(sides: Iterable[object]) -> tuple[int | None, ...]:
    """Lengths of the axes; those with a name, or none at all, are free."""
    return tuple(side if isinstance(side, int) else None for side in sides)


def _dtype(model: ModelFiles, argument: Any) -> np.dtype[Any]:
    if argument.type not in _DTYPES:
        raise _load_failed(model, TypeError(f"{argument.name} is a {argument.type}"))
    return np.dtype(_DTYPES[argument.type])


def _load_failed(model: ModelFiles, error: Exception) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"The runtime does not accept the weights of {model.name} {model.version}: {error}. Fetch the model again.",
        model=model.name, version=model.version,
    )  # fmt: skip
