"""``facefleet webhooks``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from tests.webhooks.test_sign import OTHER, SECRET

from facefleet.webhooks.sign import Signer


def test_the_secret_of_an_embedded_service_is_made_once_and_shown(run: Run, tmp_path: Path) -> None:
    first = run("webhooks", "secret", "--data", tmp_path)
    assert (first.status, len(Signer.of(first.out).keys)) == (0, 1)
    assert run("webhooks", "secret", "--data", tmp_path).out == first.out


def test_secrets_that_were_set_are_shown_the_newest_first(run: Run) -> None:
    settings = {"FACEFLEET_WEBHOOKS__SECRETS": f"{OTHER} {SECRET}"}
    assert run("webhooks", "secret", **settings).out.split() == [OTHER, SECRET]
    assert run("webhooks", "secret", "--json", **settings).document == {"secrets": [OTHER, SECRET]}


def test_on_a_shared_database_none_is_made(run: Run, tmp_path: Path) -> None:
    done = run("webhooks", "secret", "--data", tmp_path, FACEFLEET_RECORDS__URL="postgresql://u:p@db/x")
    assert (done.status, list(tmp_path.iterdir())) == (1, [])
    assert "FACEFLEET_WEBHOOKS__SECRETS" in done.err
