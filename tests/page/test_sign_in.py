"""Where credentials are asked for: signing in and out, a session that ends under way, and what the browser keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, Request, Route, expect
from sqlalchemy import delete
from tests.page.conftest import Visit, Visitor
from tests.page.test_access import findings, tab_to
from tests.page.test_trouble import standing_still
from tests.servers import alive, wait_until
from tests.system.conftest import Running

from facefleet.access.key_desk import KeyDesk
from facefleet.access.key_maker import KeyRequest
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.clock import now
from facefleet.tasks.audit import Origin
from facefleet.tasks.tables.table import sessions

pytestmark = [pytest.mark.needs_server, pytest.mark.page]

TENANT = "studio"
ROLES = (Role.MEMBER, Role.VIEWER, Role.AUDITOR)
OVER_MS = 15_000  # an open stream is looked at every 5 s, and what was verified holds for 5 s
_STORED = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
_WRITTEN = "() => document.documentElement.outerHTML + [...document.querySelectorAll('input')].map(one => one.value)"


@dataclass(frozen=True)
class Guarded:
    """A service that asks for keys, and keys of it."""

    service: Running
    keys: dict[Role, str]

    def key(self, role: Role = Role.MEMBER) -> str:
        return self.keys[role]

    def end_sessions(self) -> None:
        """As if their time were over."""
        with self.service.database.write() as connection:
            connection.execute(delete(sessions))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEFLEET_LOGS__FORMAT", "json")
        patch.setenv("FACEFLEET_AUTH__KEYS", "true")
        running = Running(tmp_path_factory.mktemp("guarded") / "data")
    pids = running.pids()
    maker = KeyDesk.build(running.settings, running.database, now).maker
    requests = {role: KeyRequest(tenant=TENANT, name=role.value, roles=frozenset({role})) for role in ROLES}
    every = frozenset(Permission)
    keys = {role: maker.create(asked, Origin("test"), every).text.text for role, asked in requests.items()}
    yield Guarded(running, keys)
    running.close()
    wait_until(lambda: not any(map(alive, pids.values())), "every part has ended")


@pytest.fixture
def visit(visitors: Visitor, guarded: Guarded) -> Visit:
    return visitors(guarded.service).open()


def sign_in(page: Page, key: str) -> None:
    page.fill("#credential", key)
    page.keyboard.press("Enter")
    expect(page.locator("#credential")).to_have_count(0)


def kept(page: Page) -> str:
    """Whatever a script of the page can find."""
    return str(page.evaluate(_STORED)) + str(page.evaluate(_WRITTEN))


def test_a_key_opens_the_page_and_stays_nowhere(visit: Visit, guarded: Guarded) -> None:
    page = visit.page
    expect(page.locator("#compose")).to_be_hidden()
    expect(page.get_by_label("API key or token")).to_be_focused()
    assert page.locator("#credential").get_attribute("autocomplete") == "off"
    sign_in(page, f"  {guarded.key()} ")
    expect(page.locator("#compose")).to_be_visible()
    expect(page.locator("#who")).to_contain_text("studio · member")
    expect(page.locator("#who b")).to_have_text(re.compile("^key:"))
    assert guarded.key() not in kept(page)
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.reload()
    expect(page.locator("#who")).to_contain_text("studio · member")
    visit.choose().fuse().finished()
    assert guarded.service.records.get(TENANT, visit.task_id).subject.startswith("key:")


@pytest.mark.parametrize(
    ("locale", "key", "words"),
    [
        ("en-US", "", "Enter your key"),
        ("en-US", "ff_live_typo", "not valid here"),
        ("en-US", "café ключ", "not valid here"),
        ("zh-CN", "ff_live_typo", "密钥在此无效"),
        ("zh-CN", "", "请先输入"),
    ],
)
def test_a_wrong_key_is_told_in_words_and_is_forgotten(
    visitors: Visitor, guarded: Guarded, locale: str, key: str, words: str
) -> None:
    page = visitors(guarded.service, locale=locale).open().page
    page.fill("#credential", key)
    page.locator(".sign-in .primary").click()
    expect(page.get_by_role("alert").first).to_contain_text(words)
    expect(page.locator("#credential")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#credential")).to_be_focused()
    expect(page.locator("#credential")).to_have_value("")
    assert not key or key not in kept(page)
    page.click("#language")
    expect(page.get_by_role("alert").first).not_to_contain_text(words)
    sign_in(page, guarded.key())
    expect(page.locator("#compose")).to_be_visible()


def test_signing_out_leaves_nothing_and_ends_the_other_tabs(visit: Visit, visitors: Visitor, guarded: Guarded) -> None:
    page = visit.page
    sign_in(page, guarded.key())
    visit.choose().fuse().finished()
    expect(page.locator("#recent a")).to_have_count(1)
    other = visitors(guarded.service, page.context).open().page
    expect(other.locator("#compose")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    for tab in (page, other):
        expect(tab.locator("#credential")).to_be_visible()
        expect(tab.locator("#who")).to_be_hidden()
    assert page.context.cookies() == []
    assert page.evaluate("Object.keys(localStorage)") == []
    assert "#" not in page.url
    page.go_back()
    expect(page.locator("#credential")).to_be_visible()
    expect(page.locator(".comparison")).to_have_count(0)


def test_a_session_that_ends_under_way_costs_neither_the_photos_nor_the_task(visit: Visit, guarded: Guarded) -> None:
    page = visit.page
    sign_in(page, guarded.key())
    visit.choose()
    with standing_still(guarded.service):
        task_id = visit.fuse().task_id
        guarded.end_sessions()
        dialog = page.get_by_role("dialog", name="Your session is over")
        expect(dialog).to_be_visible(timeout=OVER_MS)
        expect(page.locator("#credential")).to_be_focused()
        with page.expect_response("**/events") as stream:
            sign_in(page, guarded.key())
        assert stream.value.status == 200
        expect(dialog).to_have_count(0)
    visit.finished()
    assert visit.task_id == task_id
    page.get_by_role("button", name="Adjust").click()
    for part in ("source", "target"):
        expect(page.locator(f"#{part} .frame img")).to_be_visible()


def test_who_does_not_sign_in_again_keeps_the_photos_and_can_later(visit: Visit, guarded: Guarded) -> None:
    page = visit.page
    sign_in(page, guarded.key())
    visit.choose()
    page.context.clear_cookies()
    visit.fuse()
    page.get_by_role("button", name="Not now").click()
    expect(page.locator("#outcome .problem")).to_contain_text("not signed in")
    page.get_by_role("button", name="Try again").click()
    sign_in(page, guarded.key())
    visit.finished()


def test_another_person_who_signs_in_begins_anew(visit: Visit, guarded: Guarded) -> None:
    page = visit.page
    sign_in(page, guarded.key())
    visit.choose().fuse().finished()
    page.context.clear_cookies()
    page.locator(".danger-text").click()
    page.locator("dialog .danger").click()
    page.fill("#credential", guarded.key(Role.VIEWER))
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_contain_text("viewer")
    expect(page.locator("#recent")).to_be_hidden()
    expect(page.locator(".comparison")).to_have_count(0)
    assert "#" not in page.url


@pytest.mark.parametrize(("role", "words"), [(Role.VIEWER, "you can look"), (Role.AUDITOR, "nothing for your role")])
def test_who_may_make_nothing_is_told_so(visit: Visit, guarded: Guarded, role: Role, words: str) -> None:
    sign_in(visit.page, guarded.key(role))
    expect(visit.page.locator("#may-look")).to_contain_text(words)
    expect(visit.page.locator("#compose")).to_be_hidden()


@pytest.mark.parametrize(("locale", "words"), [("en-US", "You may not do this."), ("zh-CN", "您无权这样做。")])
def test_a_role_that_does_not_suffice_is_told_in_words(
    visitors: Visitor, guarded: Guarded, locale: str, words: str
) -> None:
    mine = visitors(guarded.service).open()
    sign_in(mine.page, guarded.key())
    mine.choose().fuse().finished()
    visit = visitors(guarded.service, locale=locale).open(f"/#task={mine.task_id}")
    sign_in(visit.page, guarded.key(Role.VIEWER))
    visit.finished()
    visit.page.locator(".danger-text").click()
    visit.page.locator("dialog .danger").click()
    expect(visit.page.locator(".note")).to_contain_text(words)


def test_whatever_changes_something_shows_that_this_page_sends_it(visit: Visit, guarded: Guarded) -> None:
    page, sent = visit.page, list[Request]()
    page.on("request", lambda one: sent.append(one))
    sign_in(page, guarded.key())
    visit.choose().fuse().finished()
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("button", name="Erase now").click()
    expect(page.locator("#outcome")).to_contain_text("Photos and result are gone")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#credential")).to_be_visible()
    api = [one for one in sent if "/v1/" in one.url]
    shown = {(one.method, "x-csrf-token" in one.headers) for one in api if not one.url.endswith("/v1/session")}
    assert shown == {("GET", False), ("POST", True), ("DELETE", True)}
    with_key = [(one.method, one.url.rpartition("/v1/")[2]) for one in api if "authorization" in one.headers]
    assert with_key == [("POST", "session")]


def test_a_session_of_another_tab_is_taken_on(visit: Visit, guarded: Guarded) -> None:
    page = visit.page
    sign_in(page, guarded.key())
    visit.choose()
    # As by a browser that does not tell its tabs: the cookie is another, and the page still has the token of the first.
    page.context.request.post(
        f"{guarded.service.addresses.gateway}/v1/session", headers={"Authorization": f"Bearer {guarded.key()}"}
    )
    visit.fuse().finished()


def test_signing_in_again_in_one_tab_does_for_the_others(visit: Visit, visitors: Visitor, guarded: Guarded) -> None:
    page = visit.page
    sign_in(page, guarded.key())
    other = visitors(guarded.service, page.context).open().page
    expect(other.locator("#compose")).to_be_visible()
    page.context.clear_cookies()
    for tab in (page, other):
        tab.set_input_files("#source input[type=file]", visit.samples["astronaut"])
        expect(tab.get_by_role("dialog")).to_be_visible()
    sign_in(page, guarded.key())
    for tab in (page, other):
        expect(tab.get_by_role("dialog")).to_have_count(0)
        expect(tab.locator("#source .face")).to_have_count(1)


def test_too_many_requests_are_waited_out_in_words(visit: Visit, guarded: Guarded) -> None:
    page = visit.page
    refused = iter([True, True])

    def too_many(route: Route) -> None:
        if next(refused, False):
            body = {"code": "rate_limited", "title": "Too many requests", "status": 429, "retryable": True}
            route.fulfill(status=429, json=body, headers={"retry-after": "2"})
        else:
            route.continue_()

    page.route("**/v1/session", too_many)
    page.fill("#credential", guarded.key())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text("You are asking too often. Going on in a moment.")
    expect(page.locator("#compose")).to_be_visible(timeout=10_000)
    refused = iter([True])
    page.route("**/v1/templates*", too_many)
    page.reload()
    expect(page.locator("#connection")).to_contain_text("You are asking too often")
    expect(page.locator("#connection")).to_be_hidden(timeout=10_000)


def test_signing_in_and_out_by_keyboard_alone(visit: Visit, guarded: Guarded) -> None:
    page = visit.page
    expect(page.locator("#credential")).to_be_focused()
    page.keyboard.insert_text(guarded.key())
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#polite")).to_contain_text("Signed in as key:")
    page.context.clear_cookies()
    with page.expect_file_chooser() as chooser:
        tab_to(page, "#source .actions button")
        page.keyboard.press("Enter")
    chooser.value.set_files(visit.samples["astronaut"])
    expect(page.locator("dialog #credential")).to_be_focused()
    page.keyboard.insert_text(guarded.key())
    page.keyboard.press("Enter")
    expect(page.locator("#source .face")).to_have_count(1)
    tab_to(page, "#who button")
    page.keyboard.press("Enter")
    expect(page.locator("#credential")).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_checker_finds_nothing_in_the_views_of_signing_in(
    visitors: Visitor, guarded: Guarded, theme: str, locale: str
) -> None:
    narrow = {"width": 360, "height": 740}
    visit = visitors(guarded.service, color_scheme=theme, locale=locale, viewport=narrow).open()
    page = visit.page
    found = {"start": findings(page)}
    page.locator(".sign-in .primary").click()
    found["missing"] = findings(page)
    sign_in(page, guarded.key())
    found["in"] = findings(page)
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) == 0
    page.context.clear_cookies()
    page.set_input_files("#source input[type=file]", visit.samples["astronaut"])
    expect(page.locator("dialog")).to_be_visible()
    found["over"] = findings(page)
    assert {state: list_ for state, list_ in found.items() if list_} == {}


def test_where_nobody_is_asked_for_nothing_of_it_is_seen(visitor: Visit) -> None:
    expect(visitor.page.locator("#who")).to_be_hidden()
    expect(visitor.page.locator("#sign-in")).to_be_hidden()
    expect(visitor.page.locator("#compose")).to_be_visible()
    assert visitor.page.evaluate("Object.keys(localStorage)") == []
