"""Defines the tables of the records."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData()

# The tasks with a webhook whose state has changed since deliveries were made for it: few, however many have ended.
_UNANNOUNCED = text("webhook_url IS NOT NULL AND told <> state")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time on every database; SQLite keeps none of the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return value.replace(tzinfo=UTC) if value is not None and dialect.name == "sqlite" else value


tasks = Table(
    "tasks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("track", String(16), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("shard", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("options", JSON, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("run_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("sent_epoch", String(36)),
    Column("deadline_at", UtcDateTime, nullable=False),
    Column("progress", Float, nullable=False),
    Column("step", String(32)),
    Column("result", String(255)),
    Column("result_type", String(32)),
    Column("error_code", String(64)),
    Column("error_message", String),
    Column("error_detail", JSON),
    Column("models", JSON, nullable=False),
    Column("timings_ms", JSON, nullable=False),
    Column("consent_subject", String(255), nullable=False),
    Column("consent_at", UtcDateTime, nullable=False),
    Column("webhook_url", String),
    Column("webhook_events", JSON),
    Column("idempotency_key", String(255)),
    Column("request_digest", String(64)),
    Column("traceparent", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("inputs_kept", Boolean, nullable=False, server_default=true()),
    Column("result_kept", Boolean, nullable=False, server_default=true()),
    Column("hold", Boolean, nullable=False, server_default=false()),
    Column("erased_at", UtcDateTime),
    Column("batch", String(36)),
    Column("item", Integer),
    Column("template", String(36)),
    Column("output", JSON),
    Column("bytes_in", BigInteger, nullable=False, server_default="0"),
    Column("bytes_out", BigInteger, nullable=False, server_default="0"),
    Column("seconds", Float, nullable=False, server_default="0"),
    # The state that deliveries were last made for; the column keeps the name of its first release.
    Column("told", String(16), key="announced_state", nullable=False, server_default=text("''")),
    Column("credential", String(255)),
    Column("inspections", JSON),
    Column("digests", JSON),
    Column("consent_reference", String(255)),
    Column("consent_own_photo", Boolean, nullable=False, server_default=false()),
    Column("consent_guardian", Boolean, nullable=False, server_default=false()),
    Column("plan", String(64)),
    UniqueConstraint("tenant", "idempotency_key", name="uq_tasks_idempotency"),
    Index("ix_tasks_tenant", "tenant", "id"),
    Index("ix_tasks_state_lease", "state", "lease_until"),
    Index("ix_tasks_state_run", "state", "run_at"),
    Index("ix_tasks_finished", "finished_at"),
    Index("ix_tasks_batch", "batch", "item"),
    Index("ix_tasks_tenant_created", "tenant", "created_at"),
    Index("ix_tasks_tenant_state", "tenant", "state"),
    Index("ix_tasks_lane_started", "lane", "started_at"),
    Index("ix_tasks_state_sent", "state", "track", "lane", "shard", "sent_at"),
    Index("ix_tasks_untold", "announced_state", "id", sqlite_where=_UNANNOUNCED, postgresql_where=_UNANNOUNCED),
)

# Switches set by operators; the name says what is switched (``maintenance``, ``pause:<track>.<lane>``).
switches = Table(
    "switches",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("reason", String(255), nullable=False),
)

# What operators let a tenant or plan do, in place of the values of the file; the scope says which of both it is.
policies = Table(
    "policies",
    metadata,
    Column("scope", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("body", JSON, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", String(255), nullable=False),
)

# Registered targets: they outlive the task that prepared them.
templates = Table(
    "templates",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("task", String(36), nullable=False),
    Column("object", String(255), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("faces", JSON),
    Column("error_code", String(64)),
    Column("error_message", String),
    Column("error_detail", JSON),
    Column("consent_subject", String(255), nullable=False),
    Column("consent_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ready_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("consent_reference", String(255)),
    Column("consent_own_photo", Boolean, nullable=False, server_default=false()),
    Column("consent_guardian", Boolean, nullable=False, server_default=false()),
    Index("ix_templates_tenant", "tenant", "id"),
)

# Photos that clients have announced, and send to the store by themselves.
uploads = Table(
    "uploads",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_uploads_expires", "expires_at"),
)

# Many tasks submitted in one request; inputs and options that they share are stored once.
batches = Table(
    "batches",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("total", Integer, nullable=False),
    Column("options", JSON, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("template", String(36)),
    Column("idempotency_key", String(255)),
    Column("request_digest", String(64)),
    Column("inputs_kept", Boolean, nullable=False, server_default=true()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("canceled_at", UtcDateTime),
    Column("erased_at", UtcDateTime),
    Column("credential", String(255)),
    UniqueConstraint("tenant", "idempotency_key", name="uq_batches_idempotency"),
    Index("ix_batches_tenant", "tenant", "id"),
)

# One row for each event of a task that its webhook is subscribed to.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("task", String(36), nullable=False),
    Column("event", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("url", String, nullable=False),
    Column("host", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("log", JSON, nullable=False),
    Column("next_at", UtcDateTime),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("task", "event", "version", name="uq_deliveries_event"),
    Index("ix_deliveries_next", "state", "next_at"),
)

# What was done, by whom, to what. Rows are only added; the sealer alone sets ``seal``, once (``tasks/seals.py``).
audit = Table(
    "audit",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", String(32), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("actor_tenant", String(64), nullable=False),
    Column("credential", String(255)),
    Column("address", String(64)),
    Column("tenant", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("object", String(255)),
    Column("outcome", String(16), nullable=False),
    Column("code", String(64)),
    Column("consent", String(255)),
    Column("trace_id", String(32)),
    Column("seal", Integer),
    Column("consent_reference", String(255)),
    Index("ix_audit_tenant", "tenant", "id"),
    Index("ix_audit_object", "object", "id"),
    Index("ix_audit_actor", "actor", "id"),
    Index("ix_audit_action", "action", "id"),
    Index("ix_audit_seal", "seal", "id"),
)

# The chain over the rows above: one row for each batch of them.
seals = Table(
    "audit_seals",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed_at", String(32), nullable=False),
    Column("count", Integer, nullable=False),
    Column("first", String(36), nullable=False),
    Column("last", String(36), nullable=False),
    Column("digests", Text, nullable=False),
    Column("content", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("removed_at", String(32)),
)

# Of each API key what it may do, and a keyed hash; the key itself is with its holder only.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("prefix", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("scope", JSON(none_as_null=True)),
    Column("created_by", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("replaced_by", String(36)),
    UniqueConstraint("prefix", name="uq_api_keys_prefix"),
    Index("ix_api_keys_tenant", "tenant", "id"),
)

# Browsers that signed in by a key or token. Of the cookie only a hash is here.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("plan", String(64)),
    Column("credential_kind", String(16), nullable=False),
    Column("credential", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    UniqueConstraint("digest", name="uq_sessions_digest"),
    Index("ix_sessions_subject", "tenant", "subject", "id"),
    Index("ix_sessions_expires", "expires_at"),
)
