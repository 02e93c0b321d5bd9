"""Looks up the template that a form names as the target of its fusion, and checks that it can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facefleet.errors.conflict import TemplateFailed, TemplateNotReady
from facefleet.errors.input import OptionInvalid, RequestError, TemplateFaceNotFound
from facefleet.gateway.caller import Caller
from facefleet.gateway.intake.multipart import Form, missing
from facefleet.tasks.templates import Template, Templates, TemplateState

_PREPARING_SECONDS = 1  # it takes less, once a worker has it


@dataclass(frozen=True, slots=True)
class TemplateLookup:
    """Finds templates that are ready to be fused into."""

    templates: Templates

    def of_form(self, caller: Caller, form: Form[object], options: Mapping[str, Any]) -> Template | None:
        """Find the template that a form names; none where it brings a photo.

        Raises:
            UploadMissing: There is neither.
            RequestError: There are both.
            TemplateNotFound: There is none of this id.
            TemplateNotReady: It is being prepared.
            TemplateFailed: It could not be prepared.
            TemplateFaceNotFound: The options name a face that it does not have.
            OptionInvalid: The options would number its faces anew.
        """
        template_id = form.texts.get("template_id")
        if template_id is None:
            if "target" not in form.photos:
                raise missing("target")
            return None
        if "target" in form.photos:
            raise RequestError("Send either target or template_id, not both.", field="template_id")
        return self.ready(caller, template_id, options)

    def ready(self, caller: Caller, template_id: str, options: Mapping[str, Any]) -> Template:
        """Find a template by its id; errors as above."""
        template = self.templates.get(caller.tenant, template_id)
        if template.state is TemplateState.PREPARING:
            raise TemplateNotReady(
                "The template is being prepared; try again.",
                template_id=template.id, retry_after=_PREPARING_SECONDS, field="template_id",
            )  # fmt: skip
        if template.state is TemplateState.FAILED:
            reason = f": {template.failure.message}" if template.failure else "."
            cause = template.failure.code if template.failure else None
            raise TemplateFailed(
                f"The template has failed{reason}", template_id=template.id, cause=cause, field="template_id"
            )
        _check_faces(template, options)
        return template


def _check_faces(template: Template, options: Mapping[str, Any]) -> None:
    if options.get("tiles"):
        raise OptionInvalid(
            "tiles cannot be combined with template_id: its faces are numbered as it was registered.",
            field="options.tiles",
        )
    count = len(template.faces or ())
    for face in _target_faces(options):
        if face >= count:
            raise TemplateFaceNotFound(
                f"The template has no face {face}: it has {count}, counted from 0.",
                template_id=template.id, index=face, faces=count, field="options",
            )  # fmt: skip


def _target_faces(options: Mapping[str, Any]) -> Iterator[int]:
    """List the faces of the target that the options name, by their index."""
    if isinstance(options.get("target_face"), int):
        yield options["target_face"]
    yield from (one["target_face"] for one in options.get("faces", ()))
