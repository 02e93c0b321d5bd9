"""Defines every setting and loads them: frozen sections, read once by each program's composition root.

This module is the sole reader of the environment. A value comes from, in this order: a keyword (the command line's
flags), ``FACEFLEET_<SECTION>__<FIELD>``, the TOML file that ``FACEFLEET_CONFIG`` names, the default. Secrets are
``SecretStr`` and print as stars.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import platformdirs
from pydantic import (
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from facefleet.auth_settings import Auth
from facefleet.errors.input import ConfigInvalid
from facefleet.gateway_settings import Gateway
from facefleet.rate_settings import RateLimits
from facefleet.section import Count, Seconds, Section

_PREFIX = "FACEFLEET_"
_DELIMITER = "__"
_ENDPOINT = r"^(https?://[^/\s@]+/?)?$"  # no credentials: it is shown
_FILE_VARIABLE = f"{_PREFIX}CONFIG"

Share = Annotated[float, Field(ge=0, le=1)]


class Records(Section):
    """The database of the task records."""

    url: SecretStr = Field(
        SecretStr(""),
        description="`postgresql://user:password@host/database?sslmode=verify-full` or `sqlite:///file`; "
        "empty: an SQLite file in the data folder",
    )
    busy_timeout: Seconds = Field(10.0, description="s to wait for SQLite's write lock")


class Objects(Section):
    """The object store of photos and results."""

    url: SecretStr = Field(
        SecretStr(""),
        description="`s3://bucket/prefix`, `file:///folder` and others; empty: a folder in the data folder",
    )
    endpoint: str = Field("", description="S3: `https://host:port` of a service that is not AWS", pattern=_ENDPOINT)
    region: str = Field("", description="S3: empty: from AWS_REGION, else us-east-1")
    access_key: SecretStr = Field(SecretStr(""), description="S3: empty: from AWS_*, a web identity or the instance")
    secret_key: SecretStr = Field(SecretStr(""), description="S3: set together with the access key")
    ca_file: FilePath | None = Field(
        None, description="S3: PEM file of a private certificate authority, besides the public ones"
    )
    presign: bool = Field(
        True, description="S3: readers of results, and uploads, go to the store itself; false: through the gateway"
    )
    public_endpoint: str = Field("", description="S3: the endpoint by the name clients can reach", pattern=_ENDPOINT)
    timeout: Seconds = Field(5.0, description="s until a store that does not answer counts as away, retries included")

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Objects:
        if bool(self.access_key.get_secret_value()) != bool(self.secret_key.get_secret_value()):
            raise ValueError("access_key and secret_key are set together or not at all")
        return self


class Queue(Section):
    """The broker."""

    ca_file: FilePath | None = Field(None, description="PEM file of the authority that signed the broker's certificate")
    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis or Valkey URL; `rediss://` for TLS",
        validate_default=True,
    )
    prefix: str = Field("facefleet", description="first part of every key in the broker", pattern=r"^[a-z0-9-]+$")
    lower_lane_every: int = Field(5, ge=2, description="every k-th turn looks at the lower lanes first")
    visibility_timeout: Seconds = Field(3600.0, description="s until the broker redelivers an unacknowledged message")

    @field_validator("url")
    @classmethod
    def _check_certificates(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        """Have every client check certificates: they read from the URL how, and one does not by default."""
        parts, ca_file = urlsplit(url.get_secret_value()), info.data.get("ca_file")
        if parts.scheme not in ("redis", "rediss"):
            raise ValueError("queue.url begins with redis:// or rediss://")
        if parts.scheme != "rediss":
            if ca_file:
                raise ValueError("queue.ca_file needs a rediss:// URL")
            return url
        checks = {"ssl_cert_reqs": "required"} | ({"ssl_ca_certs": str(ca_file)} if ca_file else {})
        return SecretStr(urlunsplit(parts._replace(query=urlencode(checks | dict(parse_qsl(parts.query))))))


class Worker(Section):
    """The worker, which runs the tasks."""

    processes: int = Field(1, ge=0, description="processes, supervised by the worker; 0: one per core")
    threads: Count = Field(2, description="tasks at once in each process")
    lease: Seconds = Field(30.0, description="s a claim holds without a heartbeat")
    grace: Seconds = Field(20.0, description="s that running tasks may take to finish when the worker is told to stop")
    metrics_host: str = Field("127.0.0.1", description="address of the worker's /metrics and /readyz")
    metrics_port: int = Field(0, ge=0, le=65535, description="0: not served")


class Tasks(Section):
    """The life of a task."""

    max_failures: Count = Field(3, description="retryable failures before attempts_exhausted")
    retry_after: Seconds = Field(2.0, description="s before the first retry; doubles each time")
    deadline: Seconds = Field(900.0, description="s from creation until a task fails as deadline_exceeded")
    batch_deadline: Seconds = Field(
        86_400.0, description="s from creation until an item of a batch fails as deadline_exceeded"
    )
    max_backlog: Count = Field(10_000, description="queued tasks of one lane from which on it is overloaded")


class Sweeper(Section):
    """The sweeper, which re-sends lost tasks and deletes what is due."""

    interval: Seconds = Field(1.0, description="s between rounds")
    grace: Seconds = Field(5.0, description="s before a queued record can count as lost by the broker")


class Retention(Section):
    """Terms after which the sweeper deletes photos, results and records, except of tasks under legal hold."""

    inputs: Seconds = Field(3600.0, description="s that uploads are kept after their task has ended")
    uploads: float = Field(
        3600.0, gt=0, le=7 * 86400.0,
        description="s that an announced upload may be sent, and used by requests; S3 signs for 7 days at most",
    )  # fmt: skip
    results: Seconds = Field(7 * 86400.0, description="s that a result is kept after its task has ended")
    rows: Seconds = Field(90 * 86400.0, description="s that the record is kept after its task has ended")
    interval: Seconds = Field(60.0, description="s between rounds of deletion")
    orphans: Seconds = Field(3600.0, description="s between searches for objects that no record names; also their age")


class Audit(Section):
    """The audit log, which says who did what."""

    interval: Seconds = Field(30.0, description="s between seals over the entries written since the last")
    kept: Seconds = Field(
        184 * 86400.0, description="s that entries are kept after they were sealed; laws often ask for 6 months"
    )


class Policies(Section):
    """What each tenant may do, and how much of it."""

    file: FilePath | None = Field(
        None, description="TOML file of policies, read anew when it changes; empty: only what operators set at run time"
    )


class Outbound(Section):
    """Which URLs of clients are called; the sections of what calls them extend it."""

    allow_http: bool = Field(False, description="also URLs of http://")
    allow_private: bool = Field(False, description="also private and loopback addresses; link-local ones never")
    ports: tuple[int, ...] = Field((80, 443, 8080, 8443), description="ports of URLs, a JSON list; empty: any")
    ca_file: FilePath | None = Field(
        None, description="PEM file of a private certificate authority, besides the public ones"
    )


class Webhooks(Outbound):
    """Webhooks, which report tasks to other programs."""

    secrets: SecretStr = Field(
        SecretStr(""),
        description="`whsec_…` secrets that sign, separated by blanks, each of them in every request; "
        "empty: one made beside an SQLite file of records, else no webhooks",
    )
    concurrency: Count = Field(32, description="attempts that one gateway makes at once")
    interval: Seconds = Field(0.5, description="s between looks for what is due")


class RemotePhotos(Outbound):
    """Photos that a JSON body names by URL, which the gateway fetches."""

    enabled: bool = Field(False, description="fetch them; read `docs/guides/remote-photos.md` before")
    concurrency: Count = Field(
        16,
        description="requests that one gateway fetches for at once, half of them of one tenant; more are `overloaded`",
    )


class Images(Section):
    """Limits on one photo, checked before it is decoded."""

    max_bytes: Count = Field(20_000_000, description="bytes of one file")
    max_pixels: Count = Field(50_000_000, description="width × height")
    max_side: Count = Field(16_000, description="px of the long side")
    min_side: Count = Field(64, description="px of the short side")


class Engine(Section):
    """Models and how many threads they use."""

    cache: Path = Field(
        Path(platformdirs.user_cache_dir("facefleet")), description="folder of fetched models and samples"
    )
    manifest: Path | None = Field(None, description="a TOML manifest whose entries add to or replace the built-in ones")
    runtime_threads: Count = Field(1, description="threads inside one model call")
    cache_bytes: int = Field(
        128 << 20, ge=0, description="bytes of photos that come again which a worker process keeps ready; 0: none"
    )
    cache_seconds: Seconds = Field(600.0, description="s that they are kept at most, used or not")


class Safety(Section):
    """What is not made: from photos that are refused, and without consent."""

    consent: Literal["required", "reference"] = Field(
        "required", description="what requests attest: that the people shown agree; and where that consent is kept"
    )
    nsfw: Literal["on", "off"] = Field("on", description="refuse pornographic sources and targets")
    nsfw_allow: Share = Field(
        0.5, description="score from which on a photo should be looked at by a person; refused, since nobody does yet"
    )
    nsfw_block: Share = Field(0.8, description="score from which on a photo is refused; not below `nsfw_allow`")
    nsfw_results: Literal["on", "off"] = Field("off", description="look at results, too")

    @model_validator(mode="after")
    def _block_is_not_below_allow(self) -> Safety:
        if self.nsfw_block < self.nsfw_allow:
            raise ValueError("nsfw_block is not below nsfw_allow")
        return self


class Marks(Section):
    """The marks in every output."""

    producer: str = Field(
        "facefleet", min_length=1, max_length=256, description="AIGC ContentProducer: the provider's name or code"
    )


class Client(Section):
    """The command line as a client of a server."""

    url: str = Field("http://127.0.0.1:8080", description="gateway that `facefleet submit`, `wait`, `get` … talk to")
    api_key: SecretStr = Field(SecretStr(""), description="sent to it as a bearer token, where it is set")
    ca_file: FilePath | None = Field(
        None, description="PEM file of a private certificate authority of the server, besides the public ones"
    )
    upload_from: int = Field(
        2_000_000, ge=0,
        description="bytes from which a photo goes to the server's object store by itself, if it can; 0: never",
    )  # fmt: skip


class Logs(Section):
    """The log of the program."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line that is written")
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON lines"
    )


class Tracing(Section):
    """The export of trace spans."""

    endpoint: str = Field(
        "", description="OTLP over HTTP: `http://collector:4318/v1/traces`; empty: off", pattern=r"^(https?://[^\s@?#]+)?$"
    )  # fmt: skip
    sample: float = Field(1.0, ge=0, le=1, description="share of traces kept; a caller's `traceparent` decides its own")
    service: str = Field("facefleet", min_length=1, max_length=64, description="first part of `service.name`")
    headers: dict[str, SecretStr] = Field(
        {}, description='sent with every batch, as JSON: `{"authorization":"Bearer …"}`'
    )
    ca_file: FilePath | None = Field(
        None, description="PEM file of the authority that signed the receiver's certificate"
    )
    timeout: Seconds = Field(5.0, description="s until a receiver that does not take a batch has lost it")


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter=_DELIMITER, frozen=True, extra="forbid")

    data: Path = Field(
        Path(platformdirs.user_data_dir("facefleet")), description="folder of the embedded records, objects and queue"
    )
    records: Records = Records()
    objects: Objects = Objects()
    queue: Queue = Queue()
    gateway: Gateway = Gateway()
    auth: Auth = Auth()
    rate_limits: RateLimits = RateLimits()
    worker: Worker = Worker()
    tasks: Tasks = Tasks()
    sweeper: Sweeper = Sweeper()
    retention: Retention = Retention()
    audit: Audit = Audit()
    policies: Policies = Policies()
    webhooks: Webhooks = Webhooks()
    remote_photos: RemotePhotos = RemotePhotos()
    images: Images = Images()
    engine: Engine = Engine()
    safety: Safety = Safety()
    marks: Marks = Marks()
    client: Client = Client()
    logs: Logs = Logs()
    tracing: Tracing = Tracing()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keywords, environment, then the TOML file."""
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        if path := os.environ.get(_FILE_VARIABLE):
            if not Path(path).is_file():
                raise ConfigInvalid(f"{_FILE_VARIABLE} names {path}, which is not a file.", setting=_FILE_VARIABLE)
            sources.append(TomlConfigSettingsSource(settings_cls, toml_file=path))
        return tuple(sources)

    @property
    def records_url(self) -> str:
        """SQLAlchemy URL of the records."""
        # Quoted: a folder may be called a?b, and a URL would take ?b for a parameter.
        return self.records.url.get_secret_value() or f"sqlite:///{quote(str(self.data.absolute() / 'records.db'))}"

    @property
    def objects_url(self) -> str:
        """Obstore URL of the objects."""
        return self.objects.url.get_secret_value() or (self.data.absolute() / "objects").as_uri()


def load(**overrides: Any) -> Settings:
    """The effective settings.

    Args:
        overrides: Values that win over the environment; a nested section is a dict.

    Raises:
        ConfigInvalid: A value is missing, unknown or out of range; ``detail["settings"]`` lists each with its reason.
    """
    if unknown := _unknown_sections():
        raise _invalid([(section, "There is no such section") for section in unknown])
    try:
        return Settings(**overrides)
    except ValidationError as error:
        invalid = [(".".join(str(part) for part in e["loc"]), e["msg"]) for e in error.errors(include_input=False)]
        raise _invalid(invalid) from None
    except (OSError, ValueError) as error:  # the TOML file, or a section that is not JSON
        raise ConfigInvalid(f"Settings cannot be read: {error}.") from None


def _unknown_sections() -> list[str]:
    """Sections that are named in the environment and do not exist; the framework ignores them without an error."""
    names = (name.lower().removeprefix(_PREFIX.lower()) for name in os.environ if name.upper().startswith(_PREFIX))
    # A name without the delimiter may be a variable that Kubernetes sets for a Service named facefleet.
    sections = {name.partition(_DELIMITER)[0] for name in names if _DELIMITER in name}
    return sorted(sections - Settings.model_fields.keys())


def _invalid(reasons: list[tuple[str, str]]) -> ConfigInvalid:
    lines = "; ".join(f"{name}: {reason}" for name, reason in reasons)
    return ConfigInvalid(
        f"{len(reasons)} setting(s) cannot be used: {lines}.", settings=[{"name": n, "reason": r} for n, r in reasons]
    )


def environment() -> dict[str, str]:
    """A copy of this process's environment, for a child process."""
    return dict(os.environ)
