"""The gateway's own certificate: shown, renewed without a restart, and refused at the start where it is of no use."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs
from tests.gateway.conftest import Door, Open
from tests.servers import Certificates, wait_until

from facefleet.cli.remote.server import client_of
from facefleet.client import Client, Patience
from facefleet.config import load
from facefleet.errors.client import ServerUnreachable
from facefleet.errors.input import ConfigInvalid
from facefleet.gateway import tls
from facefleet.gateway.tls import OwnCertificate
from facefleet.trust import trust_of

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("mine"))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("another"))


def behind_tls(open_door: Open, certificate: Path, key: Path) -> Door:
    return open_door(gateway={"tls_cert_file": certificate, "tls_key_file": key})


def shown(door: Door, **versions: ssl.TLSVersion) -> bytes:
    """The certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, version in versions.items():
        setattr(context, name, version)
    url = door.client.base_url
    with (
        socket.create_connection((url.host, url.port or 443), timeout=10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def der(certificate: Path) -> bytes:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(serialization.Encoding.DER)


def self_signed(folder: Path, *, begins: datetime, ends: datetime, passphrase: bytes = b"") -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begins, ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    certificate, private = folder / "own.pem", folder / "own.key"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    private.chmod(0o600)
    return certificate, private


def test_a_gateway_with_a_certificate_answers_who_trusts_its_authority(
    open_door: Open, mine: Certificates, another: Certificates, photo: bytes
) -> None:
    door = behind_tls(open_door, mine.certificate, mine.key)
    url = str(door.client.base_url)
    with (
        httpx.Client(verify=trust_of(mine.ca, "ca"), trust_env=False) as http,
        Client(url, http=http, upload_from=None) as client,
    ):
        assert client.fuse(photo, photo, consent=True).id
    with client_of(load(client={"url": url, "ca_file": mine.ca})) as client:
        assert client.upload(photo).id
    with (
        httpx.Client(verify=trust_of(another.ca, "ca"), trust_env=False) as http,
        Client(url, http=http, patience=Patience(total=0, first=0)) as client,
        pytest.raises(ServerUnreachable, match="certificate"),
    ):
        client.upload(photo)


def test_old_versions_of_tls_are_refused_and_new_ones_taken(open_door: Open, mine: Certificates) -> None:
    door = behind_tls(open_door, mine.certificate, mine.key)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert shown(door, minimum_version=version, maximum_version=version) == der(mine.certificate)
    with pytest.raises(ssl.SSLError), pytest.warns(DeprecationWarning, match="TLSv1_1"):
        shown(door, minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_without_tls_nothing_is_answered_on_its_port(open_door: Open, mine: Certificates) -> None:
    door = behind_tls(open_door, mine.certificate, mine.key)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{door.client.base_url.port}/healthz", trust_env=False)


def test_a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_never(
    open_door: Open, mine: Certificates, another: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.05)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    shutil.copy(mine.certificate, certificate)
    shutil.copy(mine.key, key)
    with capture_logs() as lines:
        door = behind_tls(open_door, certificate, key)
        assert door.client.get("/healthz").status_code == 200  # a connection that goes on
        shutil.copy(another.certificate, certificate)  # not of this key
        wait_until(lambda: any(line["event"] == "tls.not_renewed" for line in lines), "the half is told")
        assert shown(door) == der(mine.certificate)
        shutil.copy(another.key, key)
        wait_until(lambda: shown(door) == der(another.certificate), "the renewed one is shown")
        assert door.client.get("/healthz").status_code == 200
    (told,) = [line for line in lines if line["event"] == "tls.not_renewed"]
    assert "not the key" in told["cause"]


@pytest.mark.parametrize(
    ("begins", "ends", "why"),
    [(NOW - 2 * DAY, NOW - DAY, "it has expired"), (NOW + DAY, NOW + 2 * DAY, "it is not valid yet")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_out_of_its_time_is_told_at_the_start(
    tmp_path: Path, begins: datetime, ends: datetime, why: str
) -> None:
    with pytest.raises(ConfigInvalid, match=why) as caught:
        OwnCertificate(*self_signed(tmp_path, begins=begins, ends=ends))
    assert caught.value.detail["setting"] == "gateway.tls_cert_file"


def test_files_that_are_no_pair_are_told_at_the_start(
    tmp_path: Path, mine: Certificates, another: Certificates
) -> None:
    (tmp_path / "text").write_text("no certificate")
    locked = self_signed(tmp_path, begins=NOW - DAY, ends=NOW + DAY, passphrase=b"hunter2")
    for certificate, key, why in (
        (mine.certificate, another.key, "not the key of the certificate"),
        (mine.certificate, tmp_path / "text", "no PEM file"),
        (tmp_path / "text", mine.key, "no PEM file"),
        (*locked, "without a passphrase"),
        (mine.certificate, tmp_path / "missing", "No such file"),
    ):
        with pytest.raises(ConfigInvalid, match=why) as caught:
            OwnCertificate(certificate, key)
        assert str(caught.value.detail["setting"]).startswith("gateway.tls_")


def test_one_without_the_other_is_told(mine: Certificates) -> None:
    for name, path in (("tls_cert_file", mine.certificate), ("tls_key_file", mine.key)):
        with pytest.raises(ConfigInvalid, match="set together"):
            load(gateway={name: path})


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_that_everybody_may_read_is_told(tmp_path: Path, mode: int, told: bool) -> None:
    certificate, key = self_signed(tmp_path, begins=NOW - DAY, ends=NOW + DAY)
    key.chmod(mode)
    with capture_logs() as lines:
        OwnCertificate(certificate, key)
    assert any(line["event"] == "tls.key_readable" for line in lines) == told


def test_the_program_refuses_to_start_with_a_certificate_of_another_key(
    tmp_path: Path, mine: Certificates, another: Certificates
) -> None:
    variables = {"FACEFLEET_GATEWAY__TLS_CERT_FILE": str(mine.certificate)}
    variables |= {"FACEFLEET_GATEWAY__TLS_KEY_FILE": str(another.key), "FACEFLEET_DATA": str(tmp_path)}
    for command in ("gateway", "up"):
        done = subprocess.run(
            [sys.executable, "-m", "facefleet", command, "--port", "0"], env=os.environ | variables, check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode != 0
        assert "gateway.tls_key_file" in done.stderr
