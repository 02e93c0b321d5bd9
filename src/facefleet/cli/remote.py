"""A gateway seen from outside: submit, wait, fetch; its problem documents become our errors again."""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from facefleet.errors import FacefleetError, OutageError, ServerUnreachable, TaskFailed, WaitTimeout, tree

_FIRST_POLL_SECONDS = 0.02
_LONGEST_POLL_SECONDS = 0.5
_AWAY_SECONDS = 30.0  # how long a server that was there may be away: to be started again takes less
_CLASSES = {cls.code: cls for cls in tree()}


@dataclass(frozen=True, slots=True)
class Finished:
    """A task that succeeded, with its result.

    Attributes:
        view: The task as the server shows it.
        image: The result.
        media_type: Of the result.
        seconds: From the start of the submission to the whole result.
    """

    view: Mapping[str, Any]
    image: bytes
    media_type: str
    seconds: float


class Remote:
    """Talks to one gateway.

    Every method raises ``ServerUnreachable`` when it does not answer, and the server's own error when it refuses.
    """

    def __init__(
        self, client: httpx.Client, sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._client = client
        self._sleep = sleep
        self._clock = clock

    def fuse(
        self, source: bytes, target: bytes, options: Mapping[str, object], timeout: float,
        more_sources: Sequence[bytes] = (),
    ) -> Finished:  # fmt: skip
        """Submit, wait and fetch.

        Raises:
            WaitTimeout: The task did not end within ``timeout`` s; it goes on at the server.
        """
        began = self._clock()
        task = self.submit(source, target, options, more_sources)
        view = self.wait(task["links"]["self"], timeout)
        # A store that gives links is where the result comes from.
        answer = self._patiently(lambda: self._client.get(view["links"]["result"], follow_redirects=True))
        return Finished(view, answer.content, answer.headers["content-type"], self._clock() - began)

    def submit(
        self, source: bytes, target: bytes, options: Mapping[str, object], more_sources: Sequence[bytes] = ()
    ) -> dict[str, Any]:
        """The body of the 202. Where an answer is lost on its way we ask again; that makes no second task."""
        photos = [*(("source", photo) for photo in (source, *more_sources)), ("target", target)]
        files = [(field, (field, photo)) for field, photo in photos]
        data = {"consent": "true", "options": json.dumps(options)}
        headers = {"Idempotency-Key": uuid.uuid4().hex}

        def post() -> httpx.Response:
            return self._client.post("/v1/fuse", files=files, data=data, headers=headers)

        with _outages():
            try:
                accepted = _checked(post())
            except (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError):  # it was there
                accepted = self._patiently(post)
        body: dict[str, Any] = accepted.json()
        return body

    def wait(self, link: str, timeout: float) -> dict[str, Any]:
        """Poll a task until it has succeeded.

        Raises:
            FacefleetError: It failed; the class is that of its error.
        """
        until = self._clock() + timeout
        pause = _FIRST_POLL_SECONDS
        while True:
            view: dict[str, Any] = self._patiently(lambda: self._client.get(link), until).json()
            if view["status"] == "succeeded":
                return view
            if view["status"] in ("failed", "canceled"):
                raise _failure(view)
            if self._clock() > until:
                raise WaitTimeout(
                    f"The task is still {view['status']} after {timeout:.0f} s; ask at {link}.", link=link
                )
            self._sleep(pause)
            pause = min(_LONGEST_POLL_SECONDS, pause * 1.5)

    def _patiently(self, ask: Callable[[], httpx.Response], until: float = math.inf) -> httpx.Response:
        """Ask again while the server is away, but not for ever."""
        until = min(until, self._clock() + _AWAY_SECONDS)
        while True:
            try:
                with _outages():
                    return _checked(ask())
            except OutageError:
                if self._clock() >= until:
                    raise
            self._sleep(_LONGEST_POLL_SECONDS)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        body = answer.json()
        raise _known(body["code"], body["detail"], body.get("context", {}))
    except (ValueError, KeyError, TypeError):
        raise ServerUnreachable(
            f"{answer.url} answered {answer.status_code}, but not as a facefleet gateway does.",
            status=answer.status_code,
        ) from None


def _failure(view: Mapping[str, Any]) -> FacefleetError:
    error = view.get("error") or {"code": "canceled", "message": "The task was canceled.", "detail": {}}
    return _known(error["code"], error["message"], error["detail"] | {"task_id": view["task_id"]})


def _known(code: str, message: str, detail: Mapping[str, object]) -> FacefleetError:
    cls = _CLASSES.get(code)
    return cls(message, **detail) if cls else TaskFailed(message, cause=code, **detail)


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except httpx.InvalidURL as error:
        raise ServerUnreachable(f"The address of the server is not one: {error}.") from error
    except httpx.HTTPError as error:
        url = error.request.url if isinstance(error, httpx.RequestError) else ""
        reason = (str(error) or type(error).__name__).rstrip(".")
        raise ServerUnreachable(f"{url} does not answer: {reason}.", url=str(url)) from error
