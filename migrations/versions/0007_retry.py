"""A run can go on where another one ended."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("runs", sa.Column("retry_of", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_runs_retry_of"), "runs", "runs", ["retry_of"], ["id"], ondelete="SET NULL")
    op.create_index(op.f("ix_runs_retry_of"), "runs", ["retry_of"])


def downgrade() -> None:
    op.drop_column("runs", "retry_of")
