"""Labels of documents, and runs of kind `quality`, which train scorers on them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KINDS = "'curation', 'quality', 'training', 'evaluation', 'release', 'pipeline'"
KINDS_BEFORE = "'curation', 'training', 'evaluation', 'release', 'pipeline'"


def upgrade() -> None:
    op.create_table(
        "labels",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("score BETWEEN 0 AND 5", name=op.f("ck_labels_score")),
        sa.PrimaryKeyConstraint("dataset", "document_id", name=op.f("pk_labels")),
    )
    op.create_index("ix_labels_dataset_created_at_document_id", "labels", ["dataset", "created_at", "document_id"])
    _allow_kinds(KINDS)


def downgrade() -> None:
    op.execute("DELETE FROM runs WHERE kind = 'quality'")  # the older service knows no such runs
    _allow_kinds(KINDS_BEFORE)
    op.drop_table("labels")


def _allow_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_runs_kind"), "runs", type_="check")
    op.create_check_constraint(op.f("ck_runs_kind"), "runs", f"kind IN ({kinds})")
