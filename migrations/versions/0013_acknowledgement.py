"""Findings that a person has seen."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("findings", sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("findings", sa.Column("acknowledged_by", sa.Text(), nullable=True))
    op.create_index("ix_findings_time", "findings", ["time"], postgresql_where=sa.text("acknowledged_at IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_findings_time", "findings")
    op.drop_column("findings", "acknowledged_by")
    op.drop_column("findings", "acknowledged_at")
