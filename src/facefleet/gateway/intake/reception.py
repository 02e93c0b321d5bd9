"""Receives a request that makes one task: body, options, webhook and template are read, then the task is accepted.

A kind of task differs in its ``Reading`` only; batches, which hold one photo at a time, are received in ``batches.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from facefleet.gateway.caller import Caller
from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.follow.prefer import waited
from facefleet.gateway.intake.json_body import JsonReader, is_json
from facefleet.gateway.intake.multipart import Fields, Form, read_form
from facefleet.gateway.intake.photos import Given, Photo, PhotoUrl, UploadId
from facefleet.gateway.intake.remote_photos import Fetcher
from facefleet.gateway.intake.tasks import Intake, TaskRequest, idempotency_key_of
from facefleet.gateway.intake.templates import TemplateLookup
from facefleet.gateway.intake.uploads import UploadIntake
from facefleet.gateway.intake.webhooks import WebhookIntake
from facefleet.gateway.memory import Holding
from facefleet.gateway.middleware.body_limit import HOLDING
from facefleet.gateway.views import accepted, links_of, view
from facefleet.media.sniff import Limits
from facefleet.tasks.kinds import KINDS, Kind
from facefleet.tasks.task import Task
from facefleet.tasks.templates import Template


def _no_options(_: Form[object]) -> Mapping[str, object]:
    return {}


def _no_name(_: Form[object]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the form of one kind of task is read.

    Attributes:
        kind: Of the task.
        fields: That the form may have.
        options: Reads and checks them; raises ``OptionInvalid``.
        name: Reads and checks the name of what is registered; raises ``OptionInvalid``.
        wait_seconds: s until the answer, where the caller does not say (``Prefer``).
        json: Whether the body may be JSON instead of a form.
    """

    kind: Kind
    fields: Fields
    options: Callable[[Form[object]], Mapping[str, object]] = _no_options
    name: Callable[[Form[object]], str] = _no_name
    wait_seconds: float = 0.0
    json: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request whose body is still on the way, and what its headers say.

    Attributes:
        content_type: Of the body; names the boundary of a form.
        length: Of the body in bytes, where the headers say.
        stream: The body.
        idempotency_key: The same key makes nothing a second time.
        traceparent: The trace that the task goes on with.
        holding: What the request takes of the memory for photos.
    """

    content_type: str
    length: int | None
    stream: AsyncIterator[bytes]
    idempotency_key: str | None
    traceparent: str | None
    holding: Holding

    @classmethod
    def of(cls, request: Request) -> Incoming:
        """Read the headers.

        Raises:
            RequestError: The idempotency key is not one.
        """
        headers = request.headers
        key = idempotency_key_of(headers.get("idempotency-key"))
        length = headers.get("content-length", "")
        return cls(
            headers.get("content-type", ""), int(length) if length.isdigit() else None, request.stream(),
            key, headers.get("traceparent"), request.scope["state"][HOLDING],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reception:
    """Takes requests for single tasks, and answers them."""

    intake: Intake
    limits: Limits
    templates: TemplateLookup
    webhooks: WebhookIntake
    changes: Changes
    json: JsonReader
    fetcher: Fetcher
    uploads: UploadIntake

    async def answer(self, request: Request, response: Response, caller: Caller, reading: Reading) -> Response:
        """Accept the task; 200 with it when it ended in time (``Prefer``), else 202.

        The body is written here: to check it once more against the models of two answers takes a twentieth of what a
        202 costs.

        Args:
            request: Its body has not been read.
            response: Its headers become those of the answer.
            caller: Whose task it is.
            reading: Of the kind that is asked for.

        Raises:
            FacefleetError: The request is refused; nothing of it is kept.
        """
        task = await self.accept(request, caller, reading)
        task = await waited(self.changes, request, response, task, reading.wait_seconds)
        headers = {"Location": links_of(task).self} | dict(response.headers)
        body, status = (view(task), 200) if task.state.terminal else (accepted(task), 202)
        return Response(body.model_dump_json(), status, headers, "application/json")

    async def accept(self, request: Request, caller: Caller, reading: Reading) -> Task:
        """Read the request and accept its task; arguments and errors as above."""
        incoming = Incoming.of(request)
        given = await self._form(incoming, reading)
        options, name = reading.options(given), reading.name(given)
        webhook = await self.webhooks.read(given.texts)
        here = await self._here(given, incoming, caller, reading.kind, options)

        def accept() -> Task:
            template = self._template(caller, reading.kind, here, options)
            form = self.uploads.found(caller, here)
            wanted = TaskRequest(
                kind=reading.kind, form=form, options=options, name=name, template=template, webhook=webhook,
                idempotency_key=incoming.idempotency_key, traceparent=incoming.traceparent,
            )  # fmt: skip
            return self.intake.accept(caller, wanted)

        return await run_in_threadpool(accept)

    async def _form(self, incoming: Incoming, reading: Reading) -> Form[Given]:
        if reading.json and is_json(incoming.content_type):
            return await self.json.read(incoming.stream, incoming.length, reading.fields)
        return await read_form(incoming.content_type, incoming.stream, self.limits, reading.fields)

    async def _here(
        self, given: Form[Given], incoming: Incoming, caller: Caller, kind: Kind, options: Mapping[str, object]
    ) -> Form[Photo | UploadId]:
        """The form with its photos; those by URL are fetched when all that can be asked without them was."""
        here = {role: photo for role, photo in given.photos.items() if not isinstance(photo, PhotoUrl)}
        if len(here) == len(given.photos):
            return Form(here, given.texts)

        def ask() -> None:
            self._template(caller, kind, given, options)
            self.uploads.found(caller, Form(here, given.texts))
            self.intake.require_takeable(
                caller, kind, texts=given.texts, options=options, key=incoming.idempotency_key
            )  # fmt: skip

        await run_in_threadpool(ask)
        return await self.fetcher.fetched(given, caller.origin, incoming.holding)

    def _template(
        self, caller: Caller, kind: Kind, form: Form[object], options: Mapping[str, object]
    ) -> Template | None:  # fmt: skip
        return self.templates.of_form(caller, form, options) if "target" in KINDS[kind].roles else None
