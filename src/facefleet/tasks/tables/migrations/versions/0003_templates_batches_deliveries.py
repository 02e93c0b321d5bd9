"""Templates, batches, webhook deliveries; what a task found, weighed and took."""

import sqlalchemy as sa
from alembic import op

from facefleet.tasks.tables.table import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNTOLD = sa.text("webhook_url IS NOT NULL AND told <> state")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("batch", sa.String(36)))
    op.add_column("tasks", sa.Column("item", sa.Integer))
    op.add_column("tasks", sa.Column("template", sa.String(36)))
    op.add_column("tasks", sa.Column("output", sa.JSON))
    op.add_column("tasks", sa.Column("bytes_in", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("bytes_out", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("seconds", sa.Float, nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("told", sa.String(16), nullable=False, server_default=sa.text("''")))
    op.create_index("ix_tasks_batch", "tasks", ["batch", "item"])
    op.create_index("ix_tasks_tenant_created", "tasks", ["tenant", "created_at"])
    op.create_index("ix_tasks_untold", "tasks", ["told", "id"], sqlite_where=_UNTOLD, postgresql_where=_UNTOLD)
    _create_templates()
    _create_batches()
    _create_deliveries()


def _create_templates() -> None:
    op.create_table(
        "templates",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("task", sa.String(36), nullable=False),
        sa.Column("object", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(32), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("faces", sa.JSON),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.String),
        sa.Column("error_detail", sa.JSON),
        sa.Column("consent_subject", sa.String(255), nullable=False),
        sa.Column("consent_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ready_at", UtcDateTime),
        sa.Column("deleted_at", UtcDateTime),
    )
    op.create_index("ix_templates_tenant", "templates", ["tenant", "id"])


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        sa.Column("template", sa.String(36)),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("request_digest", sa.String(64)),
        sa.Column("inputs_kept", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("canceled_at", UtcDateTime),
        sa.Column("erased_at", UtcDateTime),
        sa.UniqueConstraint("tenant", "idempotency_key", name="uq_batches_idempotency"),
    )
    op.create_index("ix_batches_tenant", "batches", ["tenant", "id"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("task", sa.String(36), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("log", sa.JSON, nullable=False),
        sa.Column("next_at", UtcDateTime),
        sa.Column("happened_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("task", "event", "version", name="uq_deliveries_event"),
    )
    op.create_index("ix_deliveries_next", "deliveries", ["state", "next_at"])


def downgrade() -> None:
    for table in ("deliveries", "batches", "templates"):
        op.drop_table(table)
    op.drop_index("ix_tasks_untold", "tasks")
    op.drop_index("ix_tasks_tenant_created", "tasks")
    op.drop_index("ix_tasks_batch", "tasks")
    with op.batch_alter_table("tasks") as batch:
        for name in ("told", "seconds", "bytes_out", "bytes_in", "output", "template", "item", "batch"):
            batch.drop_column(name)
