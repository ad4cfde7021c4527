"""Projects: how many runs may be under way at all, and how many may run in each pool."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("projects", sa.Column("max_active", sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_projects_max_active"), "projects", "max_active >= 1")
    empty = sa.text("'{}'::jsonb")
    op.add_column("projects", sa.Column("max_running_by_pool", JSONB(), server_default=empty, nullable=False))


def downgrade() -> None:
    op.drop_column("projects", "max_running_by_pool")
    op.drop_constraint(op.f("ck_projects_max_active"), "projects", type_="check")
    op.drop_column("projects", "max_active")
