"""Says whose certificates are accepted where we call others over TLS: public authorities, and one of an operator."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path

import httpx

from facefleet.errors.input import ConfigInvalid


def trust_of(ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """The public authorities, and those in a file. Without a file all callers share one: nobody may change it.

    Args:
        ca_file: PEM.
        setting: The name of the setting that has the file.

    Raises:
        ConfigInvalid: The file cannot be used.
    """
    if ca_file is None:
        return _public()
    context = httpx.create_ssl_context(trust_env=False)
    try:
        context.load_verify_locations(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigInvalid(
            f"{setting} {ca_file} cannot be used: {error.strerror or type(error).__name__}.", setting=setting
        ) from None
    return context


@cache
def _public() -> ssl.SSLContext:
    """To read some 150 certificates takes tens of milliseconds, several times in the start of one gateway."""
    return httpx.create_ssl_context(trust_env=False)


def trust_in_one(certificate: Path) -> ssl.SSLContext:
    """Nothing but the certificate in a file, whatever name it is asked by: it is our own.

    Raises:
        OSError: The file cannot be read, or is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever signed it need not be in the file
    context.load_verify_locations(cafile=certificate)
    return context
