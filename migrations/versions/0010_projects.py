"""Projects and users. What there was before belongs to the project `default`; tokens stay good for all projects."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

OWNED = ("login_codes", "sessions")
ONE_OWNER = "(token_id IS NULL) <> (user_id IS NULL)"


def created(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def upgrade() -> None:
    _create_tables()
    op.execute("INSERT INTO projects (id, description) VALUES ('default', 'What has no other project')")
    for table in ("runs", "dataset_versions", "labels", "operations"):
        op.add_column(table, sa.Column("project", sa.Text(), server_default="default", nullable=False))
        op.create_foreign_key(op.f(f"fk_{table}_project"), table, "projects", ["project"], ["id"])
    op.add_column("runs", sa.Column("placed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE runs SET placed_at = now() WHERE prefect_flow_run_id IS NOT NULL")
    op.create_index("ix_runs_project_created_at_id", "runs", ["project", "created_at", "id"])
    _set_keys(project=True)
    op.add_column("audit", sa.Column("project", sa.Text(), nullable=True))
    for column, table in (("project", "projects"), ("user_id", "users")):
        _add_owner("tokens", column, table)
    for owned in OWNED:
        op.alter_column(owned, "token_id", nullable=True)
        _add_owner(owned, "user_id", "users")
        op.create_check_constraint(op.f(f"ck_{owned}_owner"), owned, ONE_OWNER)
    op.add_column("sessions", sa.Column("id", sa.Text(), nullable=True))
    op.execute("UPDATE sessions SET id = left(hash, 26)")
    op.alter_column("sessions", "id", nullable=False)
    op.create_unique_constraint(op.f("uq_sessions_id"), "sessions", ["id"])
    op.add_column("sessions", sa.Column("agent", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    # The older service knows no projects: what was good for one project only must not become good for all.
    op.execute("DELETE FROM tokens WHERE project IS NOT NULL OR user_id IS NOT NULL")
    for owned in OWNED:
        op.execute(f"DELETE FROM {owned} WHERE token_id IS NULL")
        op.drop_constraint(op.f(f"ck_{owned}_owner"), owned, type_="check")
        op.drop_column(owned, "user_id")
        op.alter_column(owned, "token_id", nullable=False)
    op.drop_column("sessions", "agent")
    op.drop_constraint(op.f("uq_sessions_id"), "sessions", type_="unique")
    op.drop_column("sessions", "id")
    op.drop_column("tokens", "user_id")
    op.drop_column("tokens", "project")
    op.drop_column("audit", "project")
    for table in ("labels", "dataset_versions"):
        op.execute(f"DELETE FROM {table} WHERE project <> 'default'")  # their keys may stand there twice
    _set_keys(project=False)
    op.drop_index("ix_runs_project_created_at_id", "runs")
    op.drop_column("runs", "placed_at")
    for table in ("operations", "labels", "dataset_versions", "runs"):
        op.drop_column(table, "project")
    for table in ("memberships", "users", "projects"):
        op.drop_table(table)


def _create_tables() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("max_running", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        created("created_at"),
        sa.CheckConstraint("max_running >= 1", name=op.f("ck_projects_max_running")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("is_admin", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        created("created_at"),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'admin')", name=op.f("ck_memberships_role")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_memberships_project"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "project", name=op.f("pk_memberships")),
    )


def _add_owner(table: str, column: str, owner: str) -> None:
    op.add_column(table, sa.Column(column, sa.Text(), nullable=True))
    op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, owner, [column], ["id"], ondelete="CASCADE")


def _set_keys(project: bool) -> None:
    """Keys of datasets and labels, with their project or without."""
    first = ["project"] if project else []
    versions, labels = "dataset_versions", "labels"
    op.drop_constraint(op.f(f"pk_{versions}"), versions, type_="primary")
    op.create_primary_key(op.f(f"pk_{versions}"), versions, [*first, "digest"])
    op.drop_constraint(op.f(f"pk_{labels}"), labels, type_="primary")
    op.create_primary_key(op.f(f"pk_{labels}"), labels, [*first, "dataset", "document_id"])
    without, with_project = f"uq_{versions}_name_version", f"uq_{versions}_project_name_version"
    op.drop_constraint(op.f(without if project else with_project), versions, type_="unique")
    name = with_project if project else without
    op.create_unique_constraint(op.f(name), versions, [*first, "name", "version"])
