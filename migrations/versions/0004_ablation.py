"""Runs of kind `ablation`, which compare variants of a curation recipe."""

from alembic import op

revision = "0004"
down_revision = "0003"

KINDS = "'curation', 'quality', 'training', 'evaluation', 'release', 'pipeline', 'ablation'"
KINDS_BEFORE = "'curation', 'quality', 'training', 'evaluation', 'release', 'pipeline'"


def upgrade() -> None:
    _allow_kinds(KINDS)


def downgrade() -> None:
    op.execute("DELETE FROM runs WHERE kind = 'ablation'")  # the older service knows no such runs
    _allow_kinds(KINDS_BEFORE)


def _allow_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_runs_kind"), "runs", type_="check")
    op.create_check_constraint(op.f("ck_runs_kind"), "runs", f"kind IN ({kinds})")
