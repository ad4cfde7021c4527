"""The door to Postgres: one async engine a process, sessions, notifications, and the schema's version."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session as SyncSession
from starlette.requests import HTTPConnection

from app.settings import Settings

CHANNEL = "headrace"
"""Postgres channel on which changes are announced: `{"run_id": ..., "project": ..., "type": ...}`."""

SCOPE: ContextVar[frozenset[str] | None] = ContextVar("projects", default=None)
"""Projects that the present caller sees; None: all, as for the service itself. Set by the guard of a route."""

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def dump_json(value: Any) -> str:
    """JSON text that JSONB takes: NaN and infinities become null, NUL characters (which it refuses) go."""
    try:
        text_bytes = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # whole numbers above 64 bits
        text_bytes = json.dumps(value).encode()
    return without_nul(text_bytes).decode()


def without_nul(json_bytes: bytes) -> bytes:
    """The JSON text without NUL characters, which no TEXT or JSONB of Postgres holds."""
    return _NUL.sub(rb"\1", json_bytes) if b"\\u0000" in json_bytes else json_bytes


def plain_url(settings: Settings) -> str:
    """`postgresql://...` for asyncpg and psycopg. Raises ValueError when no database is configured."""
    url = settings.database_url.get_secret_value()
    if not url:
        raise ValueError("no database: set HEADRACE_DATABASE_URL to postgresql://user:password@host:port/name")
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class ScopedSession(SyncSession):
    """Sees rows of the projects in `SCOPE` alone; `app.models.scope` sees to it."""


class Database:
    """The engine and its sessions. `close` it at the end."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            pool_pre_ping=True,
            json_serializer=dump_json,
            json_deserializer=orjson.loads,
            connect_args={"timeout": 5, "command_timeout": 60, "server_settings": {"application_name": "headrace"}},
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False, sync_session_class=ScopedSession)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back on an error."""
        async with self.sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def database(connection: HTTPConnection) -> Database:
    """FastAPI dependency: the database of this app, for handlers that need several transactions."""
    found: Database = connection.app.state.database
    return found


async def session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """FastAPI dependency: one transaction for the whole request.

    Declare it with `Depends(session, scope="function")`, so that it commits before the answer is sent.
    """
    async with database(connection).begin() as opened:
        yield opened


async def notify(session: AsyncSession, run_id: str, project: str, kind: str) -> None:
    """Announce a change of a run; Postgres delivers it when the transaction commits, and repeats once only."""
    payload = dump_json({"run_id": run_id, "project": project, "type": kind})
    await session.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload})


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the schema to `revision`. Services that start together wait for one another (advisory lock)."""
    async with engine.connect() as connection:
        await connection.run_sync(migrate, revision)


def migrate(connection: Connection, revision: str) -> None:
    """Move the schema up to `revision` (`head`), or down (`base`, `-1`)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "migrations:")
    config.attributes["connection"] = connection
    down = revision == "base" or revision.startswith("-")
    (command.downgrade if down else command.upgrade)(config, revision)


def migrations_folder() -> Path:
    """Where the migrations lie."""
    import migrations

    return Path(migrations.__path__[0])
