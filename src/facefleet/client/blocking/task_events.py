# Derived from aio/task_events.py by tools/derive_client.py: change it there.
"""Follows a task to its end: by its event stream, else by responses that wait, else by polling."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import closing

from facefleet.client import requests
from facefleet.client.blocking.transport import Transport
from facefleet.client.requests import APPLIED, LONGEST_WAIT_SECONDS
from facefleet.client.retry_policy import now
from facefleet.client.sse import Parser
from facefleet.client.views import Event, event, task_view
from facefleet.errors.input import MethodNotAllowed
from facefleet.errors.limits import RateLimited
from facefleet.errors.lookup import RouteNotFound
from facefleet.errors.outage import OutageError

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 15.0  # a server sends a comment so often on an idle stream
_POLLED_SECONDS = 20.0  # last part of a wait: an idle stream can be left only every 15 s, a poll at any time


class TaskEvents:
    """The changes of one task. A stream that breaks off is resumed after its last event; an outage only costs time.

    Args:
        transport: Of the server.
        task_id: Of the task.
        seen: The last version that the caller knows.
        until: When the caller gives up, by ``time.monotonic``.
    """

    def __init__(self, transport: Transport, task_id: str, seen: int, until: float) -> None:
        self._transport = transport
        self._task_id = task_id
        self._seen = seen
        self._until = until
        self._pause = _FIRST_PAUSE_SECONDS

    def events(self) -> Generator[Event, None, None]:
        """Yield the changes that the caller has not seen, until the task ends or the caller gives up.

        Raises:
            FacefleetError: The server refuses, or is away for too long.
        """
        stream_works, ended = True, False
        while True:
            if stream_works and self._left() > _POLLED_SECONDS:
                stream_works = False
                with closing(self._stream()) as changes:
                    for change in changes:
                        stream_works, ended = True, change.task.ended
                        yield change
            if not ended:
                change = self._poll()
                ended = change.task.ended
                if change.id > self._seen:
                    self._seen = change.id
                    yield change
            if ended or self._left() <= 0:
                return

    def _stream(self) -> Generator[Event, None, None]:
        """The events of a stream until it ends or breaks off; none where the server has no streams."""
        parser = Parser()
        seen = {"Last-Event-ID": str(self._seen)} if self._seen else {}
        request = requests.task(
            self._task_id,
            "/events",
            headers={"Accept": "text/event-stream"} | seen,
            extra_read_timeout=_KEEP_ALIVE_SECONDS,
        )
        try:
            with self._transport.opened(request) as response:
                for chunk in response.iter_bytes():
                    for message in parser.feed(chunk):
                        change = event(message.event, json.loads(message.data))
                        self._seen = max(self._seen, change.id)
                        yield change
                    if self._left() <= _POLLED_SECONDS:
                        return
        except (OutageError, RateLimited, RouteNotFound, MethodNotAllowed):
            return  # the poll that follows waits, or raises

    def _poll(self) -> Event:
        """The state of the task after a wait at the server, or after a pause here where the server cannot wait."""
        began, wait = now(), int(min(LONGEST_WAIT_SECONDS, max(0.0, self._left())))
        request = requests.task(self._task_id, headers=requests.preference(wait), extra_read_timeout=wait)
        response = self._transport.send(request, self._until)
        view = task_view(response.json())
        waited = APPLIED in response.headers and now() - began >= wait / 2
        if not (view.ended or waited):
            time.sleep(min(self._pause, max(0.0, self._left())))
            self._pause = min(_LONGEST_PAUSE_SECONDS, self._pause * 1.5)
        return Event(id=view.version, name=view.status, task=view)

    def _left(self) -> float:
        return self._until - now()
