"""Points and roll-ups without a foreign key to their series: checking it took as long as the insert itself."""

from alembic import op

revision = "0008"
down_revision = "0007"

TABLES = ("metrics", "metric_rollups")


def upgrade() -> None:
    for table in TABLES:
        op.drop_constraint(op.f(f"fk_{table}_series_id"), table, type_="foreignkey")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DELETE FROM {table} WHERE series_id NOT IN (SELECT id FROM series)")
        op.create_foreign_key(op.f(f"fk_{table}_series_id"), table, "series", ["series_id"], ["id"], ondelete="CASCADE")
