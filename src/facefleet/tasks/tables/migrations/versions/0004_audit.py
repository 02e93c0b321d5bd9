"""The audit log with its seals, and which key or token a task was made with."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ENTRY = (
    "id", "at", "actor", "actor_tenant", "credential", "address", "tenant", "action", "object", "outcome", "code",
    "consent", "trace_id",
)  # fmt: skip
_SEAL_COLUMNS = ("number", "sealed_at", "count", "first", "last", "content", "previous", "hash")
_REFUSAL = "the audit log is append-only"

# What a row may never become. A database that recreates one of these tables has to make them anew.
_RULES = {
    ("audit", "UPDATE"): "OLD.seal IS NOT NULL OR NEW.seal IS NULL OR {changed}",
    (
        "audit",
        "DELETE",
    ): "NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.number = OLD.seal AND s.removed_at IS NOT NULL)",
    ("audit_seals", "UPDATE"): "OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL OR {changed}",
    ("audit_seals", "DELETE"): "TRUE",
}


def upgrade() -> None:
    op.add_column("tasks", sa.Column("credential", sa.String(255)))
    op.add_column("batches", sa.Column("credential", sa.String(255)))
    _create_audit()
    _create_seals()
    for (table, event), rule in _RULES.items():
        _create_rule(table, event, rule)


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("actor_tenant", sa.String(64), nullable=False),
        sa.Column("credential", sa.String(255)),
        sa.Column("address", sa.String(64)),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("object", sa.String(255)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64)),
        sa.Column("consent", sa.String(255)),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("seal", sa.Integer),
    )
    op.create_index("ix_audit_tenant", "audit", ["tenant", "id"])
    op.create_index("ix_audit_object", "audit", ["object", "id"])
    op.create_index("ix_audit_seal", "audit", ["seal", "id"])


def _create_seals() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sealed_at", sa.String(32), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("first", sa.String(36), nullable=False),
        sa.Column("last", sa.String(36), nullable=False),
        sa.Column("digests", sa.Text, nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("removed_at", sa.String(32)),
    )


def _create_rule(table: str, event: str, rule: str) -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    differs = "OLD.{0} IS NOT NEW.{0}" if sqlite else "OLD.{0} IS DISTINCT FROM NEW.{0}"
    changed = " OR ".join(differs.format(f'"{name}"') for name in (_ENTRY if table == "audit" else _SEAL_COLUMNS))
    name, when = f"{table}_{event.lower()}", rule.format(changed=changed)
    if sqlite:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )
        return
    result = "OLD" if event == "DELETE" else "NEW"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {when} THEN RAISE EXCEPTION '{_REFUSAL}'; END IF; RETURN {result}; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table, event in _RULES:
        if postgresql:
            op.execute(f"DROP FUNCTION {table}_{event.lower()} CASCADE")
        else:
            op.execute(f"DROP TRIGGER {table}_{event.lower()}")
    op.drop_table("audit_seals")
    op.drop_table("audit")
    for name in ("batches", "tasks"):
        with op.batch_alter_table(name) as batch:
            batch.drop_column("credential")
