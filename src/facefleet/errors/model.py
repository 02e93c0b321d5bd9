"""Errors of models: their manifest, files, loading, and the memory that they need."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


class ModelError(FacefleetError):
    """Weights or their manifest."""

    title = "Model problem"


class ManifestInvalid(ModelError):
    """The manifest cannot be read."""

    code = "manifest_invalid"
    title = "Manifest not valid"


class ModelUnknown(ModelError):
    """No model of this name in the manifest."""

    code = "model_unknown"
    status = 404
    title = "Model unknown"


class ModelDigestMismatch(ModelError):
    """The bytes are not the ones the manifest pins."""

    code = "model_digest_mismatch"
    title = "Model file damaged or replaced"


class ModelFetchFailed(ModelError):
    """The source of the weights did not answer."""

    code = "model_fetch_failed"
    status = 503
    retryable = True
    title = "Model cannot be fetched"


class ModelLoadFailed(ModelError):
    """The runtime does not accept the weights."""

    code = "model_load_failed"
    title = "Model cannot be loaded"


class OutOfMemory(ModelError):
    """A run did not fit into the memory that was left; beside other neighbours it may."""

    code = "out_of_memory"
    status = 503
    retryable = True
    title = "Out of memory"
