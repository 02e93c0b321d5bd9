# Derived from aio/task.py by tools/derive_client.py: change it there.
"""Represents a task at a server: waits for it, follows its events, saves its result, cancels and erases it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from facefleet.client import arguments, requests
from facefleet.client.blocking.task_events import TaskEvents
from facefleet.client.blocking.transport import Transport
from facefleet.client.responses import failure
from facefleet.client.retry_policy import now
from facefleet.client.views import CANCELED, SUCCEEDED, Event, Problem, Receipt, TaskView, receipt, task_view
from facefleet.errors.client import WaitTimeout
from facefleet.files import check_output, write_file


class Task:
    """One task; ``view`` is its state as last fetched.

    Every method raises ``ServerUnreachable`` when the server does not answer, and its own error when it refuses.
    """

    def __init__(self, transport: Transport, view: TaskView) -> None:
        self._transport = transport
        self._view = view

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """Its id; ``client.task(id)`` finds it again."""
        return self._view.task_id

    @property
    def status(self) -> str:
        """``queued``, ``running``, ``succeeded``, ``failed`` or ``canceled``, as last fetched."""
        return self._view.status

    @property
    def view(self) -> TaskView:
        """Everything last fetched."""
        return self._view

    def refresh(self) -> Task:
        """Fetch its state."""
        self._view = task_view(self._transport.document(requests.task(self.id)))
        return self

    def wait(self, timeout: float = 300.0, progress: Callable[[TaskView], object] | None = None) -> Task:
        """Wait until it has succeeded.

        Args:
            timeout: s to wait at most.
            progress: Called with each change that is fetched meanwhile.

        Raises:
            WaitTimeout: It has not ended by then; it goes on at the server.
            FacefleetError: It failed or was canceled; the class is that of its error.
        """
        until = now() + arguments.seconds("timeout", timeout, endless=True)
        if not self._view.ended:
            with closing(self._follow(until)) as events:
                for event in events:
                    if progress is not None:
                        progress(event.task)
        if not self._view.ended:
            raise WaitTimeout(
                f"The task {self.id} is still {self.status} after {timeout:g} s; it goes on.", task_id=self.id
            )
        return self._succeeded()

    def events(self) -> Generator[Event, None, None]:
        """Yield its present state, then each change until it ends. A failure is an event, no error."""
        self._view = self._complete_view()
        yield Event(id=self._view.version, name=self.status, task=self._view)
        if not self._view.ended:
            with closing(self._follow(math.inf)) as events:
                for event in events:
                    yield event

    def image(self) -> bytes:
        """The result.

        Raises:
            ResultNotReady: It has not ended.
            ResultUnavailable: It has ended without a result, or the result was deleted.
        """
        return (self._transport.send(requests.task(self.id, "/result", follow=True))).content

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the result to a file, whole or not at all.

        Raises:
            FileExists: There is one already and ``overwrite`` is not given.
            FileUnwritable: The folder is missing or read-only, or the disk is full.
            FacefleetError: There is no result; see ``image``.
        """
        place = Path(path)
        check_output(place, overwrite=overwrite)
        write_file(place, self.image(), overwrite=overwrite)
        return place

    def cancel(self) -> Task:
        """End it, if it has not ended; to cancel it again changes nothing.

        Raises:
            TaskEnded: It has ended.
        """
        self._view = task_view(self._transport.document(requests.task(self.id, "/cancel", "POST")))
        return self

    def erase(self) -> Receipt:
        """Have the server delete its photos and its result now; a record without them stays."""
        return receipt(self._transport.document(requests.task(self.id, method="DELETE")))

    def _follow(self, until: float) -> Generator[Event, None, None]:
        with closing(TaskEvents(self._transport, self.id, self._view.version, until).events()) as events:
            for event in events:
                self._view = event.task
                yield event

    def _complete_view(self) -> TaskView:
        """The state last fetched, fetched now where only the short response to a submission is known."""
        return self._view if self._view.version else (self.refresh()).view

    def _succeeded(self) -> Task:
        view = self._complete_view()
        if view.status == SUCCEEDED:
            return self
        error = view.error or Problem(code=CANCELED, message="The task was canceled.")
        raise failure(error.code, error.message, error.detail, task_id=self.id)
