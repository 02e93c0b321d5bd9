"""Opens the certificate of the gateway's own: tries it before it is used, and reads it anew when its files change."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

from facefleet.errors.input import ConfigInvalid
from facefleet.files import reason
from facefleet.gateway_settings import Gateway
from facefleet.observability.logs import logger
from facefleet.observability.rounds import round_of
from facefleet.trust import trust_in_one

CERTIFICATE_SETTING, KEY_SETTING = "gateway.tls_cert_file", "gateway.tls_key_file"
LOOK_SECONDS = 30.0
_EXPIRED, _NOT_YET_VALID = 10, 9  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID of OpenSSL

Stamp = tuple[tuple[int, int, int], ...]

_log = logger(__name__)


class OwnCertificate:
    """Certificate and key of the gateway, for TLS 1.2 and later.

    Args:
        certificate: PEM file: the certificate, then those of the authorities between it and the root.
        key: PEM file of its private key, without a passphrase.

    Attributes:
        context: What the server uses; it has the renewed certificate for connections made after ``renew``.

    Raises:
        ConfigInvalid: They cannot be read, do not belong together, or are not valid now.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self._seen = self._stamp()
        until = self._tried()
        self.context = _context(certificate, key)
        self._tell(until)

    @classmethod
    def of(cls, settings: Gateway) -> OwnCertificate | None:
        """The one that the settings name; None where a proxy has it, or nobody; raises as the class does."""
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            return None
        return cls(settings.tls_cert_file, settings.tls_key_file)

    def renew(self) -> None:
        """Use the files where they have changed; call it in the server's loop, which alone uses the context.

        Raises:
            ConfigInvalid: They cannot be used; the certificate stays the one it was.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp  # also where they are of no use: told once
        until = self._tried()
        self.context.load_cert_chain(self._certificate, self._key, password=lambda: "")
        self._tell(until)

    async def run(self) -> None:
        """Look for renewed files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with round_of(_log, interrupted="tls.not_renewed", failed="tls.failed"):
                self.renew()

    def _stamp(self) -> Stamp:
        """What tells a renewed file: its times, its size, and its number, as links are changed in mounted secrets."""
        try:
            found = [path.stat() for path in (self._certificate, self._key)]
        except OSError as error:
            raise _unusable(CERTIFICATE_SETTING, str(error.filename), reason(error)) from None
        return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)

    def _tried(self) -> datetime:
        """When a certificate ends that a client just accepted, in a handshake in memory."""
        try:
            peer = _handshake(_context(self._certificate, self._key), trust_in_one(self._certificate))
        except ssl.SSLCertVerificationError as error:
            why = {_EXPIRED: "it has expired", _NOT_YET_VALID: "it is not valid yet"}.get(error.verify_code)
            raise _unusable(CERTIFICATE_SETTING, str(self._certificate), why or error.verify_message) from None
        except (ssl.SSLError, OSError) as error:
            raise _unusable(CERTIFICATE_SETTING, str(self._certificate), reason(error)) from None
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(peer["notAfter"])), UTC)

    def _tell(self, until: datetime) -> None:
        _log.info("tls.certificate", file=str(self._certificate), until=until.isoformat())
        if self._key.stat().st_mode & stat.S_IROTH:
            _log.warning("tls.key_readable", file=str(self._key), advice="chmod o-r")


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context of these files.

    Raises:
        ConfigInvalid: They cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path, setting in ((certificate, CERTIFICATE_SETTING), (key, KEY_SETTING)):
        if not os.access(path, os.R_OK):
            raise _unusable(setting, str(path), "it is not there, or this user may not read it")
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # else it would ask for one on a terminal
    except ssl.SSLError as error:
        raise _unusable(KEY_SETTING, str(key), _why(error, certificate)) from None
    return context


def _why(error: ssl.SSLError, certificate: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"it is not the key of the certificate in {certificate}"
    return f"it, or {certificate}, is no PEM file of a certificate or of a private key without a passphrase"


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, object]:
    """What a client knows of the server's certificate after a handshake in memory; raises as ``do_handshake`` does."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up)
    ends = (asking, server.wrap_bio(up, down, server_side=True))
    open_ends = list(ends)
    while open_ends:
        for end in list(open_ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            open_ends.remove(end)
    return dict(asking.getpeercert() or {})


def _unusable(setting: str, path: str, why: str) -> ConfigInvalid:
    return ConfigInvalid(f"{setting} {path} cannot be used: {why}.", setting=setting, cause=why)
