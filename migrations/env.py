"""Alembic's environment: runs on the connection that `app.db.migrate` or `python -m migrations` gives."""

from alembic import context
from sqlalchemy import text

from app.models import Base

LOCK = 7_214_553_901


def main() -> None:
    """Migrate in one transaction, one process at a time."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise SystemExit("run it as `python -m migrations upgrade head`, with HEADRACE_DATABASE_URL set")
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()


main()
