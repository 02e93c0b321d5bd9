"""Where photos and results are on S3: the page fetches them from the store itself, or goes without its leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from playwright.sync_api import Request
from tests.page.conftest import Visit, Visitor
from tests.servers import SeaweedServer, alive, wait_until
from tests.storage.test_cors import let_in, put_signed
from tests.system.conftest import Running

from facefleet.storage.opening import open_upload_signer
from facefleet.storage.presign import UploadSigner

pytestmark = [pytest.mark.needs_server, pytest.mark.page]

OTHER = "https://shop.example"


@dataclass(frozen=True)
class OnStore:
    """A service whose photos and results are in a bucket."""

    service: Running
    signer: UploadSigner
    bucket: str

    def let_in(self, origin: str) -> None:
        """Have the bucket answer pages of this origin, and no others."""
        let_in(self.signer, self.bucket, origin)


@pytest.fixture(scope="module")
def on_store(seaweed: SeaweedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnStore]:
    """One on a bucket of its own."""
    bucket, settings = f"page-{uuid4().hex}", seaweed.settings()
    signer = open_upload_signer(f"s3://{bucket}", settings)
    assert signer is not None
    put_signed(signer, f"/{bucket}", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEFLEET_LOGS__FORMAT", "json")
        patch.setenv("FACEFLEET_OBJECTS__URL", f"s3://{bucket}/here")
        patch.setenv("FACEFLEET_OBJECTS__ENDPOINT", settings.endpoint)
        patch.setenv("FACEFLEET_OBJECTS__REGION", settings.region)
        patch.setenv("FACEFLEET_OBJECTS__ACCESS_KEY", seaweed.ACCESS_KEY)
        patch.setenv("FACEFLEET_OBJECTS__SECRET_KEY", seaweed.SECRET_KEY)
        running = Running(tmp_path_factory.mktemp("on_store") / "data")
    pids = running.pids()
    yield OnStore(running, signer, bucket)
    running.close()
    wait_until(lambda: not any(map(alive, pids.values())), "every part has ended")


def sent_to(visit: Visit) -> dict[str, list[str]]:
    """Addresses of the pictures that are asked for from now on, by where they lead."""
    asked: dict[str, list[str]] = {"gateway": [], "store": []}
    gateway = visit.service.addresses.gateway

    def note(request: Request) -> None:
        if request.url.startswith("blob:"):
            return
        if not request.url.startswith(gateway):
            asked["store"].append(request.url)
        elif re.search("/(result|image)([?]|$)", request.url):
            asked["gateway"].append(request.url.removeprefix(gateway))

    visit.page.on("request", note)
    return asked


def test_results_come_from_the_store_itself(visitors: Visitor, on_store: OnStore, seaweed: SeaweedServer) -> None:
    on_store.let_in(on_store.service.addresses.gateway)
    visit = visitors(on_store.service)
    asked = sent_to(visit)
    found = visit.open().choose().fuse().finished()
    assert found.locator(".after img").evaluate("image => image.naturalWidth") > 0
    assert asked["gateway"] == [f"/v1/tasks/{visit.task_id}/result"]
    assert [address.partition("/" + on_store.bucket)[0] for address in asked["store"]] == [seaweed.endpoint]
    policy = on_store.service.http.get("/").headers["content-security-policy"]
    assert f"connect-src 'self' {seaweed.endpoint};" in policy
    assert policy.count(seaweed.endpoint) == 1


def test_a_store_that_lets_the_page_not_in_is_tried_once(visitors: Visitor, on_store: OnStore) -> None:
    on_store.let_in(OTHER)
    visit = visitors(on_store.service)
    asked = sent_to(visit)
    visit.open().choose().fuse().finished()
    result = f"/v1/tasks/{visit.task_id}/result"
    assert asked["gateway"] == [result, f"{result}?redirect=false"]
    visit.page.get_by_role("button", name="Adjust").click()
    visit.page.click("#go")
    visit.finished()
    assert asked["gateway"][2:] == [f"/v1/tasks/{visit.task_id}/result?redirect=false"]
    refused = [fault for fault in visit.faults if "blocked by CORS policy" in fault]
    assert len(refused) == 1
    visit.faults.remove(refused[0])
