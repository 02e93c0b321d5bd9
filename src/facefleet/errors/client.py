"""Errors that only a client of the service meets or tells."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError
from facefleet.errors.outage import OutageError


class ServerUnreachable(OutageError):
    """The client cannot reach the gateway."""

    code = "server_unreachable"
    title = "Server unreachable"


class WaitTimeout(OutageError):
    """The task did not end within the time its caller would wait."""

    code = "wait_timeout"
    status = 504
    title = "Gave up waiting"


class Interrupted(FacefleetError):
    """Whoever waited stopped; ``detail["command"]`` goes on with what was begun, where anything was."""

    code = "interrupted"
    status = 499
    title = "Interrupted"


class RefusedByServer(FacefleetError):
    """A newer server refused, with a code that this client does not know; ``detail["code"]`` has it."""

    code = "refused_by_server"
    status = 502
    title = "Refused by the server"


class SignatureInvalid(FacefleetError):
    """What came to a receiver of webhooks is not from the server whose secret it has, or not fresh."""

    code = "signature_invalid"
    status = 401
    title = "Signature not valid"
