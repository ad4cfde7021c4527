"""Runs can be deleted: hidden at once, removed bit by bit; the outbox entry that tells MLflow outlives the run's row."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "operations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("data", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
        sa.CheckConstraint("kind IN ('delete_run')", name=op.f("ck_operations_kind")),
    )
    op.create_index(
        "ix_operations_open", "operations", ["not_before", "id"], postgresql_where=sa.text("finished_at IS NULL")
    )
    op.add_column("runs", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("fk_outbox_run_id"), "outbox", type_="foreignkey")


def downgrade() -> None:
    op.execute("DELETE FROM runs WHERE deleted_at IS NOT NULL")  # the older service would show them
    op.execute("DELETE FROM outbox WHERE kind = 'delete' OR run_id NOT IN (SELECT id FROM runs)")
    op.create_foreign_key(op.f("fk_outbox_run_id"), "outbox", "runs", ["run_id"], ["id"], ondelete="CASCADE")
    op.drop_column("runs", "deleted_at")
    op.drop_table("operations")
