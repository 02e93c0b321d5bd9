"""The page as it is sent: light, kept for good, under a policy that lets nothing foreign in."""

from __future__ import annotations

import gzip
import posixpath
import re
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

import pytest
from tests.gateway.conftest import Door

from facefleet.access.roles import Role
from facefleet.errors.input import ConfigInvalid, FileError
from facefleet.errors.model import ManifestInvalid
from facefleet.errors.tree import tree
from facefleet.gateway.routes.page import FOLDER, Site

MOST_BYTES = 150_000
_NAMED = re.compile(r'\b(\w+): "')
# The page does not meet these: command line, operators, failed starts, batches, webhooks, clients.
_ELSEWHERE = {
    *(cls.code for kind in (FileError, ConfigInvalid, ManifestInvalid) for cls in tree(kind)),
    "error", "model_unknown", "model_digest_mismatch", "server_unreachable", "task_failed", "requeue_refused",
    "batch_not_found", "delivery_not_found", "webhook_url_refused", "signature_invalid", "refused_by_server",
    "photo_url_refused", "photo_not_fetched", "interrupted", "key_not_found", "key_ended",
}  # fmt: skip


@pytest.fixture(scope="module")
def site() -> Site:
    return Site.load()


def texts() -> dict[str, str]:
    """Path below the folder of the page → text."""
    folder = Path(str(resources.files("facefleet.gateway") / FOLDER))
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


def words(language: str) -> dict[str, set[str]]:
    """Names of the words of a language, by part."""
    parts = re.split(r"^const (\w+) = \{$", texts()[f"words/{language}.js"], flags=re.MULTILINE)[1:]
    return {name: set(_NAMED.findall(body)) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def test_the_whole_page_weighs_little(site: Site) -> None:
    weight = len(site.index.body) + sum(len(file.body) for file in site.files.values())
    assert weight <= MOST_BYTES


def test_the_page_comes_under_its_policy_and_the_api_under_a_closed_one(door: Door, site: Site) -> None:
    page = door.client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert {name: page.headers[name] for name in site.security} == site.security
    assert "connect-src 'self'; " in page.headers["content-security-policy"]
    closed = door.client.get("/healthz").headers["content-security-policy"]
    assert closed == "default-src 'none'; frame-ancestors 'none'"


def test_the_policy_names_the_store_where_the_page_may_go_there_and_nothing_more() -> None:
    without, on_store = Site.load(), Site.load("https://s3.example")
    policy = without.security["Content-Security-Policy"].replace(
        "connect-src 'self'", "connect-src 'self' https://s3.example"
    )
    assert on_store.security == {**without.security, "Content-Security-Policy": policy}
    assert on_store.digest != without.digest
    assert b'<meta name="store" content="https://s3.example">' in on_store.index.body
    assert b'<meta name="store" content="">' in without.index.body


def test_the_index_has_no_script_or_style_of_its_own(door: Door) -> None:
    index = door.client.get("/").text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|{{|https?:", index)


def test_whatever_the_index_names_is_there_and_kept_for_good(door: Door) -> None:
    named = re.findall(r'(?:src|href)="(/page/[^"]+)"', door.client.get("/").text)
    assert len(named) > 10
    for address in named:
        answer = door.client.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]


def test_a_file_is_packed_for_whoever_can_unpack_it(door: Door, site: Site) -> None:
    address = f"/page/{site.digest}/main.js"
    for accepted, encoding in (("gzip", "gzip"), ("identity", None)):
        with door.client.stream("GET", address, headers={"accept-encoding": accepted}) as answer:
            body = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding") == encoding
        assert (gzip.decompress(body) if encoding else body) == site.files["main.js"].body


def test_an_unchanged_page_is_not_sent_again(door: Door) -> None:
    first = door.client.get("/")
    again = door.client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "no-cache"


def test_a_page_of_another_release_gets_its_files_for_now(door: Door) -> None:
    answer = door.client.get("/page/0000000000000000/main.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_every_module_finds_those_that_it_imports(site: Site) -> None:
    for name, text in texts().items():
        for imported in re.findall(r'from "(\.[^"]+)"', text):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), imported)) in site.files


def test_a_head_has_the_headers_of_the_page_and_no_bytes(door: Door) -> None:
    answer = door.client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "%2e%2e/app.py"])
def test_nothing_but_the_pages_own_files_is_served(shared_door: Door, site: Site, name: str) -> None:
    answer = shared_door.client.get(f"/page/{site.digest}/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")


def test_both_languages_have_the_same_words() -> None:
    assert words("english") == words("chinese")


def test_every_word_is_used_and_every_used_word_is_there() -> None:
    code = "".join(text for name, text in texts().items() if name not in ("words/english.js", "words/chinese.js"))
    known = words("english")["page"]
    said = set(re.findall(r'say\("(\w+)"', code)) | set(re.findall(r'data-t="(\w+)"', code))
    assert said <= known
    assert {word for word in known if not re.search(rf'["`]{word}["`]', code)} <= _BUILT


_BUILT = (
    {f"role_{role.replace('-', '_')}" for role in Role}
    | {f"theme_{theme}" for theme in ("auto", "light", "dark")}
    | {f"{name}Hint" for name in ("source", "target", "strength", "shape", "age")}
)


@pytest.mark.parametrize("code", sorted({cls.code for cls in tree()} - _ELSEWHERE))
def test_every_error_a_visitor_can_meet_has_words_of_its_own(code: str) -> None:
    assert code in words("english")["errors"]


def test_the_wheel_carries_the_page(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, str(tmp_path), str(root)], check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"facefleet"}, "the package and what is said of it"
    assert not [name for name in names if any(part.startswith(".") for part in name.split("/"))]
    place = "facefleet/gateway/web/"
    packed = {name for name in names if name.startswith(place)}
    assert {name.removeprefix(place) for name in packed} == set(texts())
