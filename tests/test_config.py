"""Settings: where a value comes from, and what is said of a bad one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from facefleet import config
from facefleet.config import Settings, load
from facefleet.errors.input import ConfigInvalid

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FACEFLEET_"):
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the file that the environment names."""

    def write(text: str) -> Path:
        path = tmp_path / "facefleet.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("FACEFLEET_CONFIG", str(path))
        return path

    return write


def names_of(error: ConfigInvalid) -> set[str]:
    found: Any = error.detail["settings"]
    assert all(entry["reason"] for entry in found)
    return {entry["name"] for entry in found}


def test_without_a_word_every_setting_has_a_default() -> None:
    settings = load()
    assert settings.gateway.host == "127.0.0.1"
    assert settings.records_url == f"sqlite:///{settings.data / 'records.db'}"
    assert settings.objects_url == (settings.data / "objects").as_uri()


def test_a_keyword_beats_the_environment_beats_the_file_beats_the_default(
    toml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load().gateway.port == 8080
    toml("[gateway]\nport = 1001")
    assert load().gateway.port == 1001
    monkeypatch.setenv("FACEFLEET_GATEWAY__PORT", "1002")
    assert load().gateway.port == 1002
    assert load(gateway={"port": 1003}).gateway.port == 1003


def test_fields_of_one_section_may_come_from_four_places(toml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[tasks]\nretry_after = 7.5\ndeadline = 60\nmax_failures = 9")
    monkeypatch.setenv("FACEFLEET_TASKS__DEADLINE", "70")
    monkeypatch.setenv("FACEFLEET_TASKS__MAX_FAILURES", "8")
    tasks = load(tasks={"max_failures": 5}).tasks
    assert (tasks.retry_after, tasks.deadline, tasks.max_failures) == (7.5, 70, 5)
    assert load().worker.threads == 2


def test_a_value_given_is_told_from_a_default() -> None:
    assert "url" not in load().queue.model_fields_set
    assert "url" in load(queue={"url": "redis://127.0.0.1:6379/0"}).queue.model_fields_set


def test_urls_follow_what_was_given(tmp_path: Path) -> None:
    settings = load(data=tmp_path / "a b", records={"url": "sqlite://"}, objects={"url": "s3://photos"})
    assert (settings.records_url, settings.objects_url) == ("sqlite://", "s3://photos")
    assert load(data=tmp_path / "a b").objects_url.endswith("/a%20b/objects")


def test_every_bad_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEFLEET_GATEWAY__PORT", "70000")
    monkeypatch.setenv("FACEFLEET_LOGS__LEVEL", "loud")
    with pytest.raises(ConfigInvalid) as caught:
        load(tasks={"deadline": -1}, worker={"threads": 0})
    assert names_of(caught.value) == {"gateway.port", "logs.level", "tasks.deadline", "worker.threads"}
    for name in names_of(caught.value):
        assert name in caught.value.message


SECRET = "hunter2-is-my-password"


@pytest.mark.parametrize(
    "overrides",
    [
        {"queue": {"prefix": f"{SECRET} with blanks"}},
        {"queue": {"url": {"deep": SECRET}}},
        {"records": SECRET},
        {"gateway": {"port": SECRET}},
        {"logs": {"level": SECRET}},
        {"records": {"url": SECRET, "uri": SECRET}},
    ],
)
def test_a_bad_value_is_not_repeated(overrides: dict[str, Any]) -> None:
    """It may be a secret that went to the wrong place."""
    with pytest.raises(ConfigInvalid) as caught:
        load(**overrides)
    assert SECRET not in caught.value.message + str(caught.value.detail)
    assert caught.value.__cause__ is None


def test_a_section_that_is_no_json_is_not_repeated_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEFLEET_QUEUE", SECRET)
    with pytest.raises(ConfigInvalid) as caught:
        load()
    assert SECRET not in caught.value.message
    assert "queue" in caught.value.message


@pytest.mark.parametrize("section", ["records", "objects", "queue"])
def test_secrets_print_as_stars(section: str) -> None:
    settings = load(**{section: {"url": f"redis://:{SECRET}@host/0"}})
    dumps = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())]
    assert all(SECRET not in dump for dump in dumps)
    assert all("*****" in dump for dump in dumps)


def test_settings_are_frozen() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.data = Path("elsewhere")  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.gateway.port = 1  # type: ignore[misc]
    assert (settings.gateway.port, load().gateway.port) == (8080, 8080)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [({"gatway": {"port": 1}}, "gatway"), ({"gateway": {"prot": 1}}, "gateway.prot")],
)
def test_an_unknown_keyword_is_refused(overrides: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(**overrides)
    assert names_of(caught.value) == {name}


@pytest.mark.parametrize("text", ["[gatway]\nport = 1", "[gateway]\nprot = 1", "port = 1"])
def test_an_unknown_name_in_the_file_is_refused(toml: Write, text: str) -> None:
    toml(text)
    with pytest.raises(ConfigInvalid) as caught:
        load()
    assert len(names_of(caught.value)) == 1


@pytest.mark.parametrize("name", ["FACEFLEET_GATEWAY__PROT", "FACEFLEET_GATWAY__PORT", "facefleet_gatway__port"])
def test_an_unknown_variable_of_a_section_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(ConfigInvalid) as caught:
        load()
    (found,) = names_of(caught.value)
    assert found.split(".")[0] in {"gateway", "gatway"}
    assert SECRET not in caught.value.message


def test_variables_that_kubernetes_makes_of_a_service_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service called facefleet puts these into every container of its namespace."""
    monkeypatch.setenv("FACEFLEET_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("FACEFLEET_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("FACEFLEET_GATEWAY_PORT_80_TCP", "tcp://10.0.0.1:80")
    assert load().gateway.port == 8080


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        monkeypatch.setenv("FACEFLEET_CONFIG", str(path))
        with pytest.raises(ConfigInvalid) as caught:
            load()
        assert str(path) in caught.value.message


@pytest.mark.parametrize("data", [b"[gateway\nport = 1", b"port = = 1", b"\xff\xfe\x00", b"[gateway]\nport = '\xff'"])
def test_a_file_that_is_no_toml_is_refused(toml: Write, data: bytes) -> None:
    toml("").write_bytes(data)
    with pytest.raises(ConfigInvalid):
        load()


def test_an_empty_file_changes_nothing(toml: Write) -> None:
    toml("")
    assert load() == Settings()


def test_importing_the_module_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call reads it anew; nothing is remembered between programs or tests."""
    monkeypatch.setenv("FACEFLEET_WORKER__THREADS", "7")
    assert load().worker.threads == 7
    monkeypatch.delenv("FACEFLEET_WORKER__THREADS")
    assert load().worker.threads == 2


def test_a_childs_environment_is_a_copy() -> None:
    copy = config.environment()
    copy["FACEFLEET_DATA"] = "elsewhere"
    assert "FACEFLEET_DATA" not in os.environ


def test_every_setting_is_described() -> None:
    for name, section in Settings.model_fields.items():
        fields = getattr(section.annotation, "model_fields", {name: section})
        assert all(field.description for field in fields.values()), name


@pytest.mark.parametrize("url", ["", "memory://", "amqp://host", "unix:///run/valkey.sock", "host:6379"])
def test_a_broker_of_another_kind_is_refused_before_anything_starts(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="redis://"):
        load(queue={"url": url})


# ── who may ask ──────────────────────────────────────────────────────────────────────────────────────────────────────

TOKENS = {"token_issuer": "https://issuer.example", "token_audience": "facefleet"}
LONG = "0123456789abcdef0123456789abcdef"


def test_credentials_are_asked_for_where_keys_or_tokens_are_taken() -> None:
    assert not load().auth.required
    assert load(auth={"keys": True}).auth.required
    assert load(auth={**TOKENS, "jwks_url": "https://issuer.example/keys"}).auth.tokens
    assert load(auth={**TOKENS, "token_secret": LONG}).auth.tokens


@pytest.mark.parametrize("name", ["token_secret", "key_secrets"])
def test_a_secret_may_be_in_a_file_and_is_not_shown(tmp_path: Path, name: str) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{LONG}\n")
    settings = load(auth={**TOKENS, f"{name}_file": path})
    assert getattr(settings.auth, name).get_secret_value() == LONG
    assert LONG not in repr(settings)


def test_a_secret_file_of_the_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text(LONG)
    monkeypatch.setenv("FACEFLEET_AUTH__KEY_SECRETS_FILE", str(path))
    monkeypatch.setenv("FACEFLEET_AUTH__KEYS", "true")
    assert load().auth.key_secrets.get_secret_value() == LONG


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({"jwks_url": "https://issuer.example/keys"}, "token_issuer"),
        ({**TOKENS, "token_audience": "", "token_secret": LONG}, "token_audience"),
        ({**TOKENS, "token_secret": LONG[1:]}, "32 bytes"),
        ({**TOKENS, "jwks_url": "http://issuer.example/keys"}, "jwks_url"),
        ({**TOKENS, "jwks_url": "http://127.0.0.1.evil.example/keys"}, "jwks_url"),
        ({**TOKENS, "jwks_url": "https://user:password@issuer.example/keys"}, "jwks_url"),
        ({**TOKENS, "jwks_url": "file:///etc/passwd"}, "jwks_url"),
        ({"leeway": 3_600}, "leeway"),
        ({"roles_claim": ""}, "roles_claim"),
    ],
)
def test_what_would_let_in_others_or_is_unsafe_is_refused(auth: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said) as caught:
        load(auth=auth)
    assert LONG[1:] not in caught.value.message


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe"])
def test_a_secret_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match="key_secrets_file"):
        load(auth={"key_secrets_file": path})


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(LONG)
    with pytest.raises(ConfigInvalid, match="not set together"):
        load(auth={"key_secrets": LONG, "key_secrets_file": path})
    with pytest.raises(ConfigInvalid, match="key_secrets_file"):
        load(auth={"key_secrets_file": tmp_path / "nothing"})


@pytest.mark.parametrize("proxies", [["10.0.0.1/8"], ["everybody"], "10.0.0.0/8"])
def test_networks_of_proxies_are_networks(proxies: Any) -> None:
    with pytest.raises(ConfigInvalid, match="trusted_proxies"):
        load(gateway={"trusted_proxies": proxies})
