"""Garbage collection of blobs, and dataset versions that are deleted while their lineage stays."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "collected_blobs",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("collected_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_collected_blobs")),
    )
    op.add_column("dataset_versions", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("dataset_versions", sa.Column("deleted_by", sa.Text(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM dataset_versions WHERE deleted_at IS NOT NULL")  # the older service would show them
    op.drop_column("dataset_versions", "deleted_by")
    op.drop_column("dataset_versions", "deleted_at")
    op.drop_table("collected_blobs")
