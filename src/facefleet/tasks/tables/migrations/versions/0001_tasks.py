"""The table of tasks."""

import sqlalchemy as sa
from alembic import op

from facefleet.tasks.tables.table import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("track", sa.String(16), nullable=False),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("run_at", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime),
        sa.Column("sent_epoch", sa.String(36)),
        sa.Column("deadline_at", UtcDateTime, nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("step", sa.String(32)),
        sa.Column("result", sa.String(255)),
        sa.Column("result_type", sa.String(32)),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.String),
        sa.Column("error_detail", sa.JSON),
        sa.Column("models", sa.JSON, nullable=False),
        sa.Column("timings_ms", sa.JSON, nullable=False),
        sa.Column("consent_subject", sa.String(255), nullable=False),
        sa.Column("consent_at", UtcDateTime, nullable=False),
        sa.Column("webhook_url", sa.String),
        sa.Column("webhook_events", sa.JSON),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("request_digest", sa.String(64)),
        sa.Column("traceparent", sa.String(64)),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.UniqueConstraint("tenant", "idempotency_key", name="uq_tasks_idempotency"),
    )
    op.create_index("ix_tasks_tenant", "tasks", ["tenant", "id"])
    op.create_index("ix_tasks_state_lease", "tasks", ["state", "lease_until"])
    op.create_index("ix_tasks_state_run", "tasks", ["state", "run_at"])
    op.create_index("ix_tasks_state_sent", "tasks", ["state", "track", "lane", "shard", "sent_at"])


def downgrade() -> None:
    op.drop_table("tasks")
