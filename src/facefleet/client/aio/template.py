"""Represents a registered target at a server: waits until it is ready, reads and deletes it."""

from __future__ import annotations

from contextlib import aclosing

from facefleet.client import arguments, requests
from facefleet.client.aio.task_events import AsyncTaskEvents
from facefleet.client.aio.transport import AsyncTransport
from facefleet.client.faces import Face
from facefleet.client.responses import failure
from facefleet.client.retry_policy import now
from facefleet.client.templates import READY, TemplateReceipt, TemplateView, template_receipt, template_view
from facefleet.client.views import Problem
from facefleet.errors.client import WaitTimeout
from facefleet.errors.conflict import TemplateFailed


class AsyncTemplate:
    """One template; ``view`` is its state as last fetched.

    Every method raises ``ServerUnreachable`` when the server does not answer, and its own error when it refuses:
    ``TemplateNotFound`` where it was deleted.
    """

    def __init__(self, transport: AsyncTransport, view: TemplateView) -> None:
        self._transport = transport
        self._view = view

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """Its id; ``client.template(id)`` finds it again, ``fuse`` and ``batch`` take either."""
        return self._view.template_id

    @property
    def status(self) -> str:
        """``preparing``, ``ready`` or ``failed``, as last fetched."""
        return self._view.status

    @property
    def faces(self) -> tuple[Face, ...]:
        """Its faces; none until it is ready."""
        return self._view.faces

    @property
    def error(self) -> Problem | None:
        """Why it failed."""
        return self._view.error

    @property
    def view(self) -> TemplateView:
        """Everything last fetched."""
        return self._view

    async def refresh(self) -> AsyncTemplate:
        """Fetch its state."""
        self._view = template_view(await self._transport.document(requests.template(self.id)))
        return self

    async def wait(self, timeout: float = 300.0) -> AsyncTemplate:
        """Wait until it is ready.

        Args:
            timeout: s to wait at most.

        Raises:
            WaitTimeout: It is not by then; the server goes on.
            FacefleetError: It failed; the class is that of its error, such as ``FaceNotFound``.
        """
        until = now() + arguments.seconds("timeout", timeout, endless=True)
        if not self._view.prepared:
            changes = AsyncTaskEvents(self._transport, self._view.task_id, 0, until)
            async with aclosing(changes.events()) as events:
                async for _ in events:
                    pass
            await self.refresh()
        if not self._view.prepared:
            raise WaitTimeout(
                f"The template {self.id} is still {self.status} after {timeout:g} s; it goes on.", template_id=self.id
            )
        if self.status == READY:
            return self
        error = self.error or Problem(code=TemplateFailed.code, message="The template has failed.")
        raise failure(error.code, error.message, error.detail, template_id=self.id)

    async def image(self) -> bytes:
        """The photo, as it was registered."""
        return (await self._transport.send(requests.template(self.id, "/image", follow=True))).content

    async def delete(self) -> TemplateReceipt:
        """Have the server delete it and its photo now; tasks that still want to use it fail."""
        return template_receipt(await self._transport.document(requests.template(self.id, method="DELETE")))
