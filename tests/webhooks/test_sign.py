"""Signatures: the published example, rotation, and the secret of an embedded service."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from facefleet.config import load
from facefleet.errors.input import ConfigInvalid
from facefleet.webhooks.sign import Signer, secrets_of

# From the specification's own examples (standard-webhooks, "signature scheme").
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_the_published_example_has_the_published_signature() -> None:
    assert Signer.of(SECRET).headers(*MESSAGE) == {
        "webhook-id": MESSAGE[0], "webhook-timestamp": "1614265330", "webhook-signature": SIGNATURE,
    }  # fmt: skip


def test_while_secrets_change_each_of_them_signs() -> None:
    both = Signer.of(f" {OTHER}\n{SECRET} ").headers(*MESSAGE)["webhook-signature"].split(" ")
    assert (len(both), both[1], both[0] != SIGNATURE) == (2, SIGNATURE, True)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", f"{SECRET} whsec_x"],
)
def test_a_secret_of_another_form_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Signer.of(text)
    assert all(secret not in caught.value.message for secret in text.split() if secret != "whsec_")
    assert caught.value.__cause__ is None


def test_a_signer_does_not_show_its_keys() -> None:
    assert repr(Signer.of(SECRET)) == "Signer()"


def test_an_embedded_service_makes_one_secret_and_keeps_it(tmp_path: Path) -> None:
    settings = load(data=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: secrets_of(settings), range(16)))
    (secret,) = found
    assert secret is not None
    assert len(Signer.of(secret).keys[0]) == 32
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secrets_of(settings) == secret


def test_a_secret_that_was_set_comes_first(tmp_path: Path) -> None:
    assert secrets_of(load(data=tmp_path, webhooks={"secrets": SECRET})) == SECRET
    assert list(tmp_path.iterdir()) == []


def test_gateways_on_a_shared_database_do_not_each_make_their_own(tmp_path: Path) -> None:
    assert secrets_of(load(data=tmp_path, records={"url": "postgresql://u:p@db/x"})) is None


def test_a_secret_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="FACEFLEET_WEBHOOKS__SECRETS"):
        secrets_of(load(records={"url": f"sqlite:///{tmp_path}/nowhere/records.db"}))
