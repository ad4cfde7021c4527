"""How long a run keeps its points, and when they went."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("runs", sa.Column("keep_raw_days", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("raw_deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("ck_operations_kind"), "operations", type_="check")
    op.create_check_constraint(op.f("ck_operations_kind"), "operations", "kind IN ('delete_run', 'thin_run')")


def downgrade() -> None:
    op.execute("DELETE FROM operations WHERE kind = 'thin_run'")
    op.drop_constraint(op.f("ck_operations_kind"), "operations", type_="check")
    op.create_check_constraint(op.f("ck_operations_kind"), "operations", "kind IN ('delete_run')")
    op.drop_column("runs", "raw_deleted_at")
    op.drop_column("runs", "keep_raw_days")
