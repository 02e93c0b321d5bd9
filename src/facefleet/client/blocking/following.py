# Derived from aio/following.py by tools/derive_client.py: change it there.
"""A task followed to its end: by its events, else by answers that wait, else by asking now and then."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import closing

from facefleet.client import requests
from facefleet.client.blocking.transport import Transport
from facefleet.client.patience import now
from facefleet.client.requests import APPLIED, LONGEST_WAIT_SECONDS
from facefleet.client.sse import Parser
from facefleet.client.views import Event, event, task_view
from facefleet.errors.input import MethodNotAllowed
from facefleet.errors.lookup import RouteNotFound
from facefleet.errors.outage import OutageError

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_SILENCE_SECONDS = 15.0  # more than usual; a server says every 15 s that it is there
_LAST_STRETCH_SECONDS = 20.0  # a stream cannot be left between two signs of life, so the end of a wait is asked for


class Following:
    """The changes of one task. Streams that break are taken up where they broke; a server that is away costs time only.

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
        """What the caller has not seen, until the task ends or the caller gives up.

        Raises:
            FacefleetError: The server refuses, or is away for too long.
        """
        streams, told = True, False
        while True:
            if streams and self._left() > _LAST_STRETCH_SECONDS:
                streams = False
                with closing(self._streamed()) as stream:
                    for one in stream:
                        streams, told = True, one.task.ended
                        yield one
            if not told:
                one = self._looked()
                told = one.task.ended
                if one.id > self._seen:
                    self._seen = one.id
                    yield one
            if told or self._left() <= 0:
                return

    def _streamed(self) -> Generator[Event, None, None]:
        """What a stream brings until it ends or breaks; nothing where the server has none."""
        parser = Parser()
        seen = {"Last-Event-ID": str(self._seen)} if self._seen else {}
        ask = requests.task(
            self._task_id, "/events", headers={"Accept": "text/event-stream"} | seen, silence=_SILENCE_SECONDS
        )
        try:
            with self._transport.opened(ask) as answer:
                for chunk in answer.iter_bytes():
                    for message in parser.feed(chunk):
                        one = event(message.event, json.loads(message.data))
                        self._seen = max(self._seen, one.id)
                        yield one
                    if self._left() <= _LAST_STRETCH_SECONDS:
                        return
        except (OutageError, RouteNotFound, MethodNotAllowed):
            return  # the look that follows waits, or tells

    def _looked(self) -> Event:
        """The task as it stands after a wait at the server, or after a pause of ours where it has none."""
        began, wait = now(), int(min(LONGEST_WAIT_SECONDS, max(0.0, self._left())))
        ask = requests.task(self._task_id, headers=requests.preference(wait), silence=wait)
        answer = self._transport.answer(ask, self._until)
        view = task_view(answer.json())
        waited = APPLIED in answer.headers and now() - began >= wait / 2
        if not (view.ended or waited):
            time.sleep(min(self._pause, max(0.0, self._left())))
            self._pause = min(_LONGEST_PAUSE_SECONDS, self._pause * 1.5)
        return Event(id=view.version, name=view.status, task=view)

    def _left(self) -> float:
        return self._until - now()
