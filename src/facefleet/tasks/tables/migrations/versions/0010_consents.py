"""What a consent refers to and who gave it, for tasks, templates and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("tasks", "templates")
_ENTRY = (
    "id", "at", "actor", "actor_tenant", "credential", "address", "tenant", "action", "object", "outcome", "code",
    "consent", "trace_id",
)  # fmt: skip


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("consent_reference", sa.String(255)))
        for flag in ("consent_own_photo", "consent_guardian"):
            op.add_column(table, sa.Column(flag, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("audit", sa.Column("consent_reference", sa.String(255)))
    _replace_rule((*_ENTRY, "consent_reference"))


def _replace_rule(columns: tuple[str, ...]) -> None:
    """Make the rule anew by which an entry never changes, but for the seal that it gets once."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    differs = "OLD.{0} IS NOT NEW.{0}" if sqlite else "OLD.{0} IS DISTINCT FROM NEW.{0}"
    changed = " OR ".join(differs.format(f'"{name}"') for name in columns)
    when, refusal = f"OLD.seal IS NOT NULL OR NEW.seal IS NULL OR {changed}", "the audit log is append-only"
    if sqlite:
        op.execute("DROP TRIGGER audit_update")
        op.execute(
            f"CREATE TRIGGER audit_update BEFORE UPDATE ON audit WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_update() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {when} THEN RAISE EXCEPTION '{refusal}'; END IF; RETURN NEW; END $$"
    )


def downgrade() -> None:
    _replace_rule(_ENTRY)
    op.execute("ALTER TABLE audit DROP COLUMN consent_reference")
    for table in _TABLES:
        with op.batch_alter_table(table) as batch:
            for name in ("consent_reference", "consent_own_photo", "consent_guardian"):
                batch.drop_column(name)
