"""Retention, legal hold, erasure; operators' switches; indexes for both."""

import sqlalchemy as sa
from alembic import op

from facefleet.tasks.tables.table import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("inputs_kept", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("tasks", sa.Column("result_kept", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("tasks", sa.Column("hold", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("tasks", sa.Column("erased_at", UtcDateTime))
    op.create_index("ix_tasks_finished", "tasks", ["finished_at"])
    op.create_index("ix_tasks_lane_started", "tasks", ["lane", "started_at"])
    op.create_table(
        "switches",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("switches")
    op.drop_index("ix_tasks_lane_started", "tasks")
    op.drop_index("ix_tasks_finished", "tasks")
    with op.batch_alter_table("tasks") as batch:
        for name in ("erased_at", "hold", "result_kept", "inputs_kept"):
            batch.drop_column(name)
