"""Policies of tenants and plans, and how many tasks of a tenant wait."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
    )
    op.create_index("ix_tasks_tenant_state", "tasks", ["tenant", "state"])


def downgrade() -> None:
    op.drop_index("ix_tasks_tenant_state", "tasks")
    op.drop_table("policies")
