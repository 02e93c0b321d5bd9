"""Signatures of uploads, held against those of obstore; what a store makes of them is in ``gateway/test_uploads``."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import obstore
import pytest
from obstore.store import S3Store
from pydantic import SecretStr

from facefleet.config import Objects
from facefleet.storage.opening import link_origin, open_upload_signer
from facefleet.storage.presign import sign_address

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = "tenants/acme/uploads/0190b6a2-7b1c-7c3e-8f00-000000000000"


@pytest.mark.parametrize(
    ("url", "config"),
    [
        ("s3://photos", {"endpoint": "http://127.0.0.1:8333"}),
        ("s3://photos/some prefix/é+~", {"endpoint": "https://s3.example:443"}),
        ("s3://photos/a", {"endpoint": "https://photos.s3.example:8443", "virtual_hosted_style_request": True}),
        ("s3://photos", {"region": "eu-central-1", "session_token": "FwoG/+=="}),
    ],
    ids=["path style", "prefix with odd characters", "virtual-hosted style", "of AWS with a session"],
)
def test_a_signature_over_the_host_alone_is_that_of_obstore(url: str, config: dict[str, object]) -> None:
    backend = S3Store.from_url(
        url,
        config={"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET, "region": "us-east-1"} | config,  # type: ignore[arg-type]
        client_options={"allow_http": True},
    )
    theirs = urlsplit(obstore.sign(backend, "PUT", KEY, timedelta(hours=1)))
    ours = urlsplit(sign_address(theirs, {"Host": theirs.netloc}, SECRET))
    assert parse_qs(ours.query) == parse_qs(theirs.query)
    assert (ours.netloc, ours.path) == (theirs.netloc, theirs.path)


def _objects(**more: object) -> Objects:
    known = {"access_key": SecretStr("AKIAIOSFODNN7EXAMPLE"), "secret_key": SecretStr(SECRET), "region": "eu-west-1"}
    return Objects(**(known | {"presign": True} | more))


def test_length_type_and_digest_are_signed_and_the_secret_is_nowhere() -> None:
    signer = open_upload_signer("s3://photos/a", _objects(public_endpoint="https://photos.example"))
    assert signer is not None
    digest = hashlib.sha256(b"a photo").hexdigest()
    signed = signer.sign(KEY, size=7, media_type="image/png", sha256=digest, seconds=60)
    address = urlsplit(signed.url)
    query = parse_qs(address.query)
    assert (address.netloc, address.path) == ("photos.example", f"/photos/a/{KEY}")
    assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host;x-amz-checksum-sha256"]
    assert query["X-Amz-Expires"] == ["60"]
    others = ({"size": 8}, {"media_type": "image/webp"}, {"sha256": "0" * 64})
    for other in others:
        said = {"size": 7, "media_type": "image/png", "sha256": digest} | other
        again = parse_qs(urlsplit(signer.sign(KEY, seconds=60, **said).url).query)  # type: ignore[arg-type]
        assert again["X-Amz-Signature"] != query["X-Amz-Signature"]
    assert SECRET not in signed.url + repr(signer) + repr(signed)


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("file:///tmp/objects", {}),
        ("memory:///", {}),
        ("s3://photos", {"presign": False}),
        ("s3://photos", {"access_key": SecretStr(""), "secret_key": SecretStr("")}),
    ],
    ids=["a folder", "memory", "links are off", "keys that obstore finds by itself"],
)
def test_where_clients_cannot_be_sent_there_nothing_is_signed(url: str, more: dict[str, object]) -> None:
    assert open_upload_signer(url, _objects(**more)) is None


@pytest.mark.parametrize(
    ("url", "objects", "origin"),
    [
        ("s3://photos/a", {}, "https://s3.us-east-1.amazonaws.com"),
        ("s3://photos", {"region": "eu-central-1"}, "https://s3.eu-central-1.amazonaws.com"),
        ("s3://photos", {"endpoint": "http://10.0.0.1:8333/"}, "http://10.0.0.1:8333"),
        (
            "s3://photos",
            {"endpoint": "http://10.0.0.1:8333", "public_endpoint": "https://s3.example"},
            "https://s3.example",
        ),
        ("s3://photos", {"presign": False}, ""),
        ("file:///photos", {}, ""),
        ("memory:///", {}, ""),
    ],
)
def test_the_origin_of_links_is_told_without_credentials(url: str, objects: dict[str, object], origin: str) -> None:
    assert link_origin(url, Objects.model_validate(objects)) == origin
