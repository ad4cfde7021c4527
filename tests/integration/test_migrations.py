"""Migrations on the real Postgres: up, down, up again; and they say the same as the models."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, make_url, text

from app.db import migrate
from app.models import Base


@pytest.fixture
def connection(empty_database_url):
    engine = create_engine(make_url(empty_database_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_upgrade_makes_what_the_models_say(connection):
    migrate(connection, "head")
    options = {"compare_type": True, "compare_server_default": True}
    assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_downgrade_leaves_nothing_and_upgrade_works_again(connection):
    migrate(connection, "head")
    migrate(connection, "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate(connection, "head")
    assert "runs" in inspect(connection).get_table_names()


def test_each_step_down_and_up(connection):
    migrate(connection, "head")
    newest = MigrationContext.configure(connection).get_current_revision()
    migrate(connection, "-1")
    assert MigrationContext.configure(connection).get_current_revision() != newest
    migrate(connection, "head")
    assert MigrationContext.configure(connection).get_current_revision() == newest


def test_the_database_itself_refuses_an_unknown_state(connection):
    migrate(connection, "head")
    insert = (
        "INSERT INTO runs (id, name, kind, pool, spec_hash, state) VALUES ('r', 'r', 'training', 'cpu', '', :state)"
    )
    connection.execute(text(insert), {"state": "queued"})
    with pytest.raises(Exception, match="ck_runs_state"):
        connection.execute(text(insert.replace("'r', 'r'", "'s', 's'")), {"state": "lost"})
