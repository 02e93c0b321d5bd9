"""Describes the answers of every route in OpenAPI: each status, with the codes of its problems and its headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from facefleet.errors.access import (
    CredentialExpired,
    CredentialInvalid,
    CredentialRevoked,
    CsrfTokenInvalid,
    NotPermitted,
    Unauthenticated,
)
from facefleet.errors.base import FacefleetError, InternalError
from facefleet.errors.conflict import IdempotencyConflict, TemplateFailed, TemplateNotReady, UploadIncomplete
from facefleet.errors.input import (
    ConsentRequired,
    ImageAnimated,
    ImageDecodeFailed,
    ImageTooLargeBytes,
    ImageTooLargePixels,
    ImageTooSmall,
    ImageTypeUnsupported,
    OptionInvalid,
    PhotoNotFetched,
    PhotoUrlRefused,
    RequestError,
    TemplateFaceNotFound,
    UploadMismatch,
    UploadMissing,
    UploadTooLarge,
    WebhookUrlRefused,
)
from facefleet.errors.limits import RateLimited
from facefleet.errors.lookup import TemplateNotFound, UploadNotFound
from facefleet.errors.outage import (
    IssuerUnavailable,
    Maintenance,
    Overloaded,
    RecordsUnavailable,
    RecordsUncertain,
    StoreUnavailable,
    UploadTimeout,
)
from facefleet.errors.tree import tree
from facefleet.gateway.credentials import OVER_TLS, PLAIN
from facefleet.gateway.endpoints import ENDPOINTS
from facefleet.gateway.problems import MEDIA_TYPE, ProblemDocument, document
from facefleet.media.sniff import ImageType
from facefleet.outbound.address import MAX_URL_LENGTH

Refusal = type[FacefleetError]

# Refused by the layers before the routes, or possible in every route.
_ANYWHERE: tuple[Refusal, ...] = (
    RequestError,
    UploadTimeout,
    UploadTooLarge,
    Overloaded,
    RecordsUnavailable,
    IssuerUnavailable,
    Unauthenticated,
    CredentialInvalid,
    CredentialExpired,
    CredentialRevoked,
    CsrfTokenInvalid,
    NotPermitted,
    RateLimited,
    InternalError,
)
_CODES = "x-codes"
_ENDPOINTS = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS}
_SECURITY: dict[str, Any] = {"security": [{"bearer": []}, {"session": []}]}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key (`ff_live_…`) or a token (JWT)"},
    "session": {
        "type": "apiKey", "in": "cookie", "name": OVER_TLS,
        "description": f"of `POST /v1/session`, over plain HTTP `{PLAIN}`; changes need `X-CSRF-Token`, too",
    },
}  # fmt: skip
_INVALID = str(OptionInvalid.status)
_VALIDATION = ("HTTPValidationError", "ValidationError")  # the framework's own, which we do not answer with
_PROBLEM = {"$ref": "#/components/schemas/ProblemDocument"}
_EXAMPLE_ID = "8f1c1f6e9f0b4f7e8a3e5d2c1b0a9f8e"
_EXAMPLE_TRACE = "0af7651916cd43dd8448eb211c80319c"
_BY_CODE = {cls.code: cls for cls in tree()}

_REQUEST_ID = {"description": "of this request, and on its log lines", "schema": {"type": "string"}}
_RETRY_AFTER = {"description": "s until trying again makes sense", "schema": {"type": "integer", "minimum": 0}}
_RATES = {
    "RateLimit-Policy": {
        "description": "each limit that holds: its name, requests `q` in `w` s; none where nothing is limited",
        "schema": {"type": "string"}, "example": '"tenant";q=6000;w=60, "key";q=3000;w=60',
    },
    "RateLimit": {
        "description": "where each stands: `r` requests are left, and more in `t` s",
        "schema": {"type": "string"}, "example": '"tenant";r=5983;t=41, "key";r=2983;t=41',
    },
}  # fmt: skip
_UNCOUNTED = str(Unauthenticated.status)  # whose request it is, is not known
LOCATION = {"Location": {"description": "of the task", "schema": {"type": "string"}}}
APPLIED = {
    "Preference-Applied": {
        "description": "the `Prefer` that was followed", "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    }
}  # fmt: skip
PREFER = {
    "name": "Prefer", "in": "header", "required": False, "schema": {"type": "string"}, "example": "wait=10",
    "description": "`wait=N`: answer when the task has ended, or after N s, at most 30 (RFC 7240)",
}  # fmt: skip

PHOTO = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or AVIF"}
_PHOTO_JSON = {
    "type": "object", "additionalProperties": False, "minProperties": 1, "maxProperties": 1,
    "properties": {
        "data": {
            "type": "string", "format": "byte", "contentEncoding": "base64",
            "description": "the file, JPEG, PNG, WebP or AVIF, in base64",
        },
        "url": {
            "type": "string", "format": "uri", "maxLength": MAX_URL_LENGTH,
            "description": "where a public server has the file, if this service fetches photos",
        },
        "upload": {
            "type": "string", "format": "uuid", "description": "the id of a photo that was sent by `POST /v1/uploads`",
        },
    },
}  # fmt: skip
TEMPLATE_ID = {"type": "string", "format": "uuid", "description": "a registered target, instead of `target`"}
KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False, "example": "order-17",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "a request that is sent again with the same key makes nothing a second time",
}  # fmt: skip
PHOTO_REFUSALS: tuple[Refusal, ...] = (
    ImageAnimated, ImageDecodeFailed, ImageTooLargeBytes, ImageTooLargePixels, ImageTooSmall, ImageTypeUnsupported,
    UploadMissing,
)  # fmt: skip
REMOTE_REFUSALS: tuple[Refusal, ...] = (PhotoUrlRefused, PhotoNotFetched)
"""Errors of photos that a JSON body names by URL."""
UPLOAD_REFUSALS: tuple[Refusal, ...] = (UploadNotFound, UploadIncomplete, UploadMismatch)
"""Errors of a request that may name uploads."""
INTAKE_REFUSALS: tuple[Refusal, ...] = (
    IdempotencyConflict, Maintenance, OptionInvalid, RecordsUncertain, StoreUnavailable, WebhookUrlRefused,
)  # fmt: skip
"""Errors of every request that is accepted for work."""
FUSION_REFUSALS: tuple[Refusal, ...] = (
    *PHOTO_REFUSALS, *INTAKE_REFUSALS, ConsentRequired, TemplateNotFound, TemplateNotReady, TemplateFailed,
    TemplateFaceNotFound,
)  # fmt: skip
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture",
        "content": {str(t): {"schema": {"type": "string", "format": "binary"}} for t in ImageType},
    },
    307: {
        "description": "Where the store has it, for a minute",
        "headers": {"Location": {"description": "a signed link", "schema": {"type": "string"}}},
    },
}


_JSON_FIELDS = ("options", "webhook_events")


def form(
    properties: Mapping[str, Any], required: Sequence[str], *, parameters: Sequence[Any] = (), json: bool = False
) -> dict[str, Any]:
    """Describe the multipart form that a route reads, and the JSON body that may be sent instead of it."""
    schema = {
        "type": "object", "required": list(required), "additionalProperties": False, "properties": dict(properties),
    }  # fmt: skip
    encoding = {name: {"contentType": "application/json"} for name in _JSON_FIELDS if name in properties}
    content: dict[str, Any] = {"multipart/form-data": {"schema": schema, "encoding": encoding}}
    if json:
        content["application/json"] = {"schema": _as_json(properties, required)}
    return {"parameters": list(parameters), "requestBody": {"required": True, "content": content}}


def _as_json(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """The schema of the JSON body with the fields of a form; photos that may be several have a plural, too."""
    fields, needed = dict[str, Any](), list(required)
    for name, field in properties.items():
        if field.get("items", {}).get("format") == "binary":
            fields |= {name: _PHOTO_JSON, f"{name}s": field | {"items": _PHOTO_JSON}}
            needed.remove(name)
        elif field.get("format") == "binary":
            fields[name] = _PHOTO_JSON | {"title": field.get("title", name)}
        else:
            fields[name] = _flag_as_json(field)
    schema = {"type": "object", "required": needed, "additionalProperties": False, "properties": fields}
    plural = [name for name in required if name not in needed]
    return schema | ({"oneOf": [{"required": [n]} for name in plural for n in (name, f"{name}s")]} if plural else {})


def _flag_as_json(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a yes or no in JSON, where it is a boolean; any other field unchanged."""
    if not set(field.get("enum", [""])) <= {"true", "false"}:
        return field
    only_true = {"const": True} if field["enum"] == ["true"] else {"default": False}
    return {"type": "boolean", "description": field["description"]} | only_true


def refusals(*errors: Refusal) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: the problems it can answer with, besides those that any route can."""
    responses: dict[int | str, dict[str, Any]] = {}
    for cls in errors:
        responses.setdefault(int(cls.status), {_CODES: []})[_CODES].append(cls.code)
    return responses


def describe(app: FastAPI, *, credentials: bool) -> None:
    """Make the application's OpenAPI document describe its answers as they are, and what a caller needs.

    Args:
        app: With all its routes, when the document is asked for first.
        credentials: Whether they are asked for.
    """

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            app.openapi_schema = _described(schema) | (_SECURITY if credentials else {})
            app.openapi_schema["components"]["securitySchemes"] = _SCHEMES if credentials else {}
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    models = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in _VALIDATION:
        models.pop(name, None)
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    models |= problem.pop("$defs", {}) | {"ProblemDocument": problem}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _describe(operation)
            endpoint = _ENDPOINTS.get((method.upper(), path))
            operation["x-permission"] = endpoint.permission if endpoint else None
            if endpoint and endpoint.permission and not endpoint.polled:
                _describe_rates(operation)
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
    return schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter may be left out; no address and no header can hold a null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | dict(kinds[0])


def _describe(operation: dict[str, Any]) -> None:
    responses, by_status = operation["responses"], dict[str, list[Refusal]]()
    if "HTTPValidationError" in str(responses.get(_INVALID)):
        del responses[_INVALID]
        if _has_values(operation):
            responses[_INVALID] = {_CODES: [OptionInvalid.code]}
    declared = [_BY_CODE[code] for answer in responses.values() for code in answer.get(_CODES, ())]
    for cls in [*declared, *_ANYWHERE]:
        known = by_status.setdefault(str(cls.status), [])
        if cls not in known:
            known.append(cls)
    for status, classes in by_status.items():
        responses[status] = _refusal(classes)
    for answer in responses.values():
        answer.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID


def _describe_rates(operation: dict[str, Any]) -> None:
    """Name the headers by which the limits of the caller are told, which every answer to a known caller has."""
    for status, answer in operation["responses"].items():
        if status != _UNCOUNTED:
            answer["headers"] |= _RATES


def _has_values(operation: Mapping[str, Any]) -> bool:
    """Whether a caller can send a value that is not valid; an id that is none is not found."""
    return "requestBody" in operation or any(one["in"] == "query" for one in operation.get("parameters", ()))


def _refusal(classes: list[Refusal]) -> dict[str, Any]:
    codes = [cls.code for cls in classes]
    schema = {"allOf": [_PROBLEM, {"type": "object", "properties": {"code": {"enum": codes}}}]}
    examples = {
        cls.code: {"value": document(cls(_meaning(cls)), _EXAMPLE_ID, _EXAMPLE_TRACE).model_dump()} for cls in classes
    }
    return {
        "description": "; ".join(f"`{cls.code}`: {_meaning(cls)}" for cls in classes),
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
        "headers": {"Retry-After": _RETRY_AFTER} if any(cls.retryable for cls in classes) else {},
    }


def _meaning(cls: Refusal) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
