"""Serves ``/v1/uploads``: a photo is announced, sent to the store by its client, named by requests, and withdrawn."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from facefleet.errors.input import ImageTooLargeBytes, OptionInvalid, UploadMismatch
from facefleet.errors.lookup import UploadNotFound
from facefleet.errors.outage import RecordsUncertain, StoreUnavailable
from facefleet.gateway.caller import AsCaller
from facefleet.gateway.intake.uploads import UploadIntake
from facefleet.gateway.openapi import PHOTO, PHOTO_REFUSALS, refusals
from facefleet.media.sniff import ImageType
from facefleet.storage.presign import SignedUpload
from facefleet.tasks.audit import Action
from facefleet.tasks.uploads import Upload
from facefleet.upkeep.retention import Retention

PATH = "/v1/uploads"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": PHOTO}},
    }
}


class Announcement(BaseModel):
    """A photo that will be uploaded."""

    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(strict=True, ge=1, description="bytes")]
    type: ImageType = Field(description="media type of the photo")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of the file, in lower-case hexadecimal")


class UploadView(BaseModel):
    """How to send it: one request, with exactly these headers and the whole file as its body."""

    upload_id: str = Field(description="by which a request names the photo")
    direct: bool = Field(description="whether it goes to the object store itself, and saves this gateway its bytes")
    method: Literal["PUT"]
    url: str = Field(description="of the object store, or a path of this gateway, which needs its authentication")
    headers: dict[str, str] = Field(description="to send with it; the length is the size that was announced")
    expires_at: datetime = Field(description="until when it can be sent, and named by requests")


def router(intake: UploadIntake, retention: Retention) -> APIRouter:
    """The routes of uploads."""
    routes = APIRouter(tags=["uploads"])

    @routes.post(
        PATH, status_code=201, response_model=UploadView,
        responses=refusals(ImageTooLargeBytes, OptionInvalid, RecordsUncertain, StoreUnavailable),
    )  # fmt: skip
    async def announce(body: Announcement, caller: AsCaller) -> UploadView:
        """Announce a photo; the answer says where its client sends it."""

        def announced() -> UploadView:
            return _view(*intake.announce(caller, size=body.size, media_type=body.type, sha256=body.sha256))

        return await run_in_threadpool(announced)

    @routes.put(
        f"{PATH}/{{upload_id}}/content", status_code=204, openapi_extra=_BODY,
        responses=refusals(UploadNotFound, UploadMismatch, *PHOTO_REFUSALS, StoreUnavailable),
    )  # fmt: skip
    async def content(upload_id: str, request: Request, caller: AsCaller) -> Response:
        """Take the photo, where the store does not take it itself."""
        upload = await run_in_threadpool(intake.records.get, caller.tenant, upload_id)
        data = await intake.receive(upload, request.headers, request.stream())
        await run_in_threadpool(intake.keep, upload, data)
        return Response(status_code=204)

    @routes.delete(
        f"{PATH}/{{upload_id}}", status_code=204,
        responses=refusals(UploadNotFound, RecordsUncertain, StoreUnavailable),
    )  # fmt: skip
    async def withdraw(upload_id: str, caller: AsCaller) -> Response:
        """Withdraw an upload, whether its photo has come or not; tasks that named it have copies of their own."""

        def withdrawn() -> None:
            upload = intake.records.get(caller.tenant, upload_id)
            retention.delete_upload(upload, Action.UPLOAD_DELETE, caller.origin)

        await run_in_threadpool(withdrawn)
        return Response(status_code=204)

    return routes


def _view(upload: Upload, signed: SignedUpload | None) -> UploadView:
    how = signed or SignedUpload(f"{PATH}/{upload.id}/content", {"Content-Type": upload.media_type})
    return UploadView(
        upload_id=upload.id, direct=signed is not None, method="PUT", url=how.url, headers=dict(how.headers),
        expires_at=upload.expires_at,
    )  # fmt: skip
