"""API keys: how they look, a typing error told from a forgery, and that nothing of them is kept but a hash."""

from __future__ import annotations

import re
import stat
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from facefleet.access import keys
from facefleet.access.key_secrets import hasher_of
from facefleet.access.keys import KeyHasher, new_key, parse
from facefleet.access.reasons import Reason
from facefleet.config import load
from facefleet.errors.access import CredentialInvalid
from facefleet.errors.input import ConfigInvalid

ONE, TWO = "one secret of our own, 32 characters", "two secret of our own, 32 characters"


def hasher(*secrets: str) -> KeyHasher:
    return KeyHasher(tuple(secret.encode() for secret in secrets))


@pytest.mark.parametrize(("test", "begin"), [(False, "ff_live_"), (True, "ff_test_")])
def test_a_key_looks_as_scanners_of_secrets_are_told(test: bool, begin: str) -> None:
    key = new_key(test=test)
    assert re.fullmatch(rf"{begin}[0-9A-Za-z]{{50}}", key.text)
    assert (key.prefix, len(key.prefix), key.test) == (key.text[:20], 20, test)
    assert parse(key.text) == key


def test_no_two_keys_are_alike_and_a_key_does_not_show_itself() -> None:
    made = [new_key(test=False) for _ in range(500)]
    assert len({key.text for key in made}) == len({key.prefix for key in made}) == 500
    assert made[0].text not in repr(made[0])


MADE = new_key(test=False).text
OTHER = new_key(test=False).text
MISTYPED: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "only the beginning": lambda: "ff_",
    "a prefix": lambda: MADE[:20],
    "cut": lambda: MADE[:-1],
    "longer": lambda: MADE + "0",
    "a blank at the end": lambda: MADE + " ",
    "a line end": lambda: MADE + "\n",
    "other case": lambda: MADE.swapcase(),
    "a live key as a test key": lambda: MADE.replace("ff_live_", "ff_test_"),
    "another kind": lambda: MADE.replace("ff_live_", "ff_root_"),
    "the secret of another": lambda: MADE[:20] + OTHER[20:],
    "the check sum of another": lambda: MADE[:-6] + OTHER[-6:],
    "letters of another alphabet": lambda: "ff_live_" + "а" * 50,
    "quotes": lambda: "ff_live_" + "'" * 50,
    "two neighbours swapped": lambda: _swapped(MADE),
}


def _swapped(text: str) -> str:
    place = next(n for n in range(20, 50) if text[n] != text[n + 1])
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


@pytest.mark.parametrize("name", MISTYPED)
def test_a_mistyped_key_is_told_by_itself(name: str) -> None:
    text = MISTYPED[name]()
    with pytest.raises(CredentialInvalid) as caught:
        parse(text)
    assert caught.value.detail == {"reason": Reason.KEY_MISTYPED}


def test_every_single_wrong_character_is_noticed() -> None:
    for place in range(8, 58):
        for other in set(string.ascii_letters + string.digits) - {MADE[place]}:
            with pytest.raises(CredentialInvalid):
                parse(MADE[:place] + other + MADE[place + 1 :])


def test_a_hash_is_of_all_of_the_key_and_of_our_secret() -> None:
    key, other = new_key(test=False), new_key(test=False)
    digest = hasher(ONE).digest(key)
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert hasher(ONE).matches(key, digest)
    assert not hasher(ONE).matches(other, digest)
    assert not hasher(TWO).matches(key, digest)
    assert not hasher(ONE).matches(key, "")


def test_our_secret_can_be_changed_while_keys_are_in_use() -> None:
    key, new = new_key(test=False), new_key(test=False)
    both = hasher(TWO, ONE)
    assert both.matches(key, hasher(ONE).digest(key))
    assert hasher(TWO).matches(new, both.digest(new))


@pytest.mark.parametrize("text", ["", "  ", "short", f"{'x' * 40} brief"])
def test_a_secret_that_is_too_short_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        KeyHasher.of(text)
    assert caught.value.detail == {"setting": "auth.key_secrets"}
    assert all(secret not in caught.value.message for secret in text.split())


def test_a_hasher_does_not_show_its_secrets() -> None:
    assert repr(hasher(ONE)) == "KeyHasher()"


def test_a_service_on_one_machine_makes_its_secret_and_keeps_it(tmp_path: Path) -> None:
    key = new_key(test=False)
    digest = hasher_of(load(data=tmp_path)).digest(key)
    assert hasher_of(load(data=tmp_path)).matches(key, digest)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) > keys.SHORTEST_SECRET


def test_on_shared_records_the_secret_must_be_given(tmp_path: Path) -> None:
    shared = {"data": tmp_path, "records": {"url": "postgresql://u:p@db/x"}}
    with pytest.raises(ConfigInvalid, match="FACEFLEET_AUTH__KEY_SECRETS"):
        hasher_of(load(**shared))
    secret = tmp_path / "secret"
    secret.write_text(f"{'s' * 40}\n")
    key = new_key(test=False)
    digest = hasher_of(load(**shared, auth={"key_secrets_file": secret})).digest(key)
    assert hasher("s" * 40).matches(key, digest)
