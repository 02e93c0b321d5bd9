"""The rule of the guide that lets browsers send uploads to the store, asked as a browser asks before it sends."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import obstore
import pytest
from tests.servers import SeaweedServer

from facefleet.storage.opening import open_upload_signer
from facefleet.storage.presign import UploadSigner, sign_address

GUIDE = Path(__file__).parents[2] / "docs/guides/postgres-and-s3.md"
SHOP, PHOTO = "https://shop.example", b"a photo"
KEY = f"tenants/acme/uploads/{uuid4()}"


@pytest.fixture
def signer(seaweed: SeaweedServer) -> UploadSigner:
    """For a bucket of its own, with the rule of the guide."""
    bucket = f"cors-{uuid4().hex}"
    made = open_upload_signer(f"s3://{bucket}", seaweed.settings())
    assert made is not None
    put_signed(made, f"/{bucket}", "")
    let_in(made, bucket, SHOP)
    return made


def let_in(signer: UploadSigner, bucket: str, origin: str) -> None:
    """Give the bucket the rule of the guide, for pages of this origin."""
    text = re.search(r"```json\n(\{\"CORSRules\".*?)```", GUIDE.read_text(), re.DOTALL)
    assert text is not None
    (rule,) = json.loads(text[1])["CORSRules"]
    assert rule["AllowedOrigins"] == [SHOP]
    put_signed(signer, f"/{bucket}", "&cors=", _xml(rule | {"AllowedOrigins": [origin]}))


def put_signed(signer: UploadSigner, path: str, query: str, content: str = "") -> None:
    address = urlsplit(obstore.sign(signer.backend, "PUT", "any", timedelta(minutes=1)))
    address = address._replace(path=path, query=address.query + query)
    url = sign_address(address, {"Host": address.netloc}, signer.secret_key.get_secret_value())
    httpx.put(url, content=content, trust_env=False).raise_for_status()


def _xml(rule: Mapping[str, object]) -> str:
    parts = []
    for name, value in rule.items():
        tag = name.removesuffix("s") if isinstance(value, list) else name
        parts += [f"<{tag}>{one}</{tag}>" for one in (value if isinstance(value, list) else [value])]
    return f"<CORSConfiguration><CORSRule>{''.join(parts)}</CORSRule></CORSConfiguration>"


@pytest.mark.needs_server
def test_a_browser_of_the_listed_origin_may_send_and_no_other(signer: UploadSigner) -> None:
    how = signer.sign(
        KEY, size=len(PHOTO), media_type="image/png", sha256=hashlib.sha256(PHOTO).hexdigest(), seconds=60
    )
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": ",".join(sorted(name.lower() for name in how.headers)),
    }
    with httpx.Client(trust_env=False) as browser:
        allowed = browser.options(how.url, headers=asked | {"Origin": SHOP})
        assert allowed.headers["access-control-allow-origin"] == SHOP
        assert "PUT" in allowed.headers["access-control-allow-methods"]
        for header in how.headers:
            assert header.lower() in allowed.headers["access-control-allow-headers"]
        other = browser.options(how.url, headers=asked | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        sent = browser.put(how.url, content=PHOTO, headers={**how.headers, "Origin": SHOP})
        assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (200, SHOP)
