"""Reads the `options` of a form: JSON in the shape of the tables in `facefleet.options`, checked field by field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, create_model, field_validator

from facefleet import strict_json
from facefleet.assignments import MAX_ASSIGNMENTS, MAX_SOURCES, check_sources
from facefleet.errors.input import OptionInvalid
from facefleet.option_values import Flag, Index, Number
from facefleet.options import Assignments, DetectOptions, FuseOptions, Option, Options
from facefleet.section import reason_of
from facefleet.strict_json import JsonRefused

_FaceIndex = Annotated[int, Field(ge=0, le=1000)]
_STRICT = ConfigDict(extra="forbid", strict=True)


class FaceAssignmentBody(BaseModel):
    """One face to take and the face it replaces."""

    model_config = _STRICT

    source: Annotated[int, Field(ge=0, lt=MAX_SOURCES)] = Field(0, description="number of the source photo, from 0")
    source_face: _FaceIndex | None = Field(None, description="index of the face to take; the largest where not given")
    target_face: _FaceIndex = Field(description="index of the face to replace")


def _shape_of(option: Option) -> Any:
    """The type that pydantic checks a value by."""
    shape: Any
    match option.values:
        case Number(minimum=minimum, maximum=maximum):
            shape = Annotated[float, Field(ge=minimum, le=maximum, allow_inf_nan=False)]
        case Index(words=words):
            shape = _FaceIndex | Literal[words] if words else _FaceIndex
        case Flag():
            shape = bool
        case Assignments():
            shape = Annotated[list[FaceAssignmentBody], Field(max_length=MAX_ASSIGNMENTS)]
        case _:
            raise TypeError(f"No JSON shape is known for {option.values}")
    return shape | None if option.default is None else shape


def _not_above(name: str, other: str) -> Any:
    """A validator that refuses a value of one option above that of another."""

    def check(value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and value > info.data.get(other, value):
            raise ValueError(f"Input should be less than or equal to {other}")
        return value

    return field_validator(name)(check)


def _body(name: str, about: str, options: type[Options]) -> type[BaseModel]:
    """The pydantic model of a table of options."""
    shapes: dict[str, Any] = {}
    validators: dict[str, Any] = {}
    for option_name, option in options.table().items():
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        shapes[option_name] = (_shape_of(option), Field(default, description=option.about))
        if isinstance(option.values, Number) and option.values.at_most:
            validators[f"check_{option_name}"] = _not_above(option_name, option.values.at_most)
    return create_model(name, __config__=_STRICT, __doc__=about, __validators__=validators, **shapes)


_FUSE = _body("FuseOptionsBody", "Options of a fusion.", FuseOptions)
_DETECT = _body("FacesOptionsBody", "Options of a search for faces.", DetectOptions)


def fuse_options_schema() -> dict[str, Any]:
    """JSON schema of a fusion's options in one piece: references would point out of the place it is put."""
    schema = _FUSE.model_json_schema()
    parts = schema.pop("$defs")
    schema["properties"]["faces"]["items"] = parts[FaceAssignmentBody.__name__]
    return schema


def detect_options_schema() -> dict[str, Any]:
    """JSON schema of the options of a search for faces."""
    return _DETECT.model_json_schema()


def parse_fuse_options(text: str | None, sources: int = 1) -> FuseOptions:
    """The options of a fusion, with their defaults.

    Args:
        text: JSON, or none.
        sources: How many source photos the form has.

    Raises:
        OptionInvalid: Not a JSON object, an unknown option, a value out of its range, or choices that contradict.
    """
    try:
        body = _FUSE.model_validate_json(_strict(text))
    except ValidationError as error:
        invalid = [
            {"field": ".".join(("options", *map(str, e["loc"][:1]))), "reason": reason_of(e)}
            for e in error.errors(include_input=False, include_url=False)
        ]
        reasons = "; ".join(f"{one['field']}: {one['reason']}" for one in invalid)
        raise OptionInvalid(f"{reasons}.", fields=invalid) from None
    try:
        options = FuseOptions.of_json(body.model_dump())
        check_sources(options.faces, sources)
    except OptionInvalid as error:
        error.detail["field"] = f"options.{error.detail['option']}"
        raise
    return options


def _strict(text: str | None) -> str:
    """The text, which other readers take for the same.

    Raises:
        OptionInvalid: They may not: a name is there twice, say; what is no JSON at all is left to the reader's words.
    """
    try:
        strict_json.parse((text or "{}").encode(errors="surrogatepass"))
    except JsonRefused as error:
        if error.name:
            raise OptionInvalid(f"The text of options {error}.", field=f"options.{error.name}") from None
    return text or "{}"


def parse_detect_options(text: str | None) -> DetectOptions:
    """The options of a search for faces, with their defaults.

    Raises:
        OptionInvalid: Not a JSON object, an unknown option, or a value that is none.
    """
    try:
        return DetectOptions.of_json(_DETECT.model_validate_json(_strict(text)).model_dump())
    except ValidationError:
        raise OptionInvalid("options has one option: tiles, true or false.", field="options") from None
