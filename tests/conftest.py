"""Fixtures on real parts: one Postgres cluster a test run, a fresh database and a fresh service a test."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from app.db import Database, upgrade
from app.services.postgres import EmbeddedPostgres, free_port
from app.settings import Settings

TEMPLATE = "headrace_template"

# Machines are shared: how long an example takes says nothing here.
hypothesis_settings.register_profile("shared-machine", deadline=None)
hypothesis_settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A cluster with a migrated template database."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), fast=True)
    server.start()
    try:
        asyncio.run(_migrate(server.create_database(TEMPLATE)))
        yield server
    finally:
        server.stop()


async def _migrate(url: str) -> None:
    database = Database(url)
    await upgrade(database.engine)
    await database.close()


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh, migrated database."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres.url(name)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The fresh database, opened."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a service on the fresh database, with no Prefect and no MLflow beside it."""
    return Settings(
        database_url=database_url,
        home=tmp_path / "home",
        storage=str(tmp_path / "storage"),
        admin_token="hr_" + secrets.token_urlsafe(32),
        worker_token="hr_" + secrets.token_urlsafe(32),
        ui_dist=tmp_path / "dist",
        prefect_api_url="http://127.0.0.1:9/api",
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[object]:
    """The whole service, started."""
    from app.main import create_app

    made = create_app(settings)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def anonymous(app: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def admin(anonymous: httpx.AsyncClient, settings: Settings) -> httpx.AsyncClient:
    """A client with the admin token."""
    return _with_token(anonymous, settings.admin_token.get_secret_value())


@pytest.fixture
def worker(anonymous: httpx.AsyncClient, settings: Settings) -> httpx.AsyncClient:
    """A client with the worker token."""
    return _with_token(anonymous, settings.worker_token.get_secret_value())


def _with_token(client: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=client._transport, base_url=client.base_url, headers=headers)


@pytest.fixture(scope="module")
def prefect_url(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server on a database of its own, with our pools and deployments, and no worker."""
    home, name = tmp_path_factory.mktemp("prefect"), f"prefect_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    port = str(free_port())
    url = f"http://127.0.0.1:{port}/api"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_API_DATABASE_CONNECTION_URL": postgres.url(name).replace("postgresql:", "postgresql+asyncpg:"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        url.split(":")[2][:-4],
    ]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            until = time.monotonic() + 120
            while not _answers(url):
                assert time.monotonic() < until and server.poll() is None, (home / "log").read_text()
                time.sleep(0.2)
            deploy = [sys.executable, "-m", "flows.deploy"]
            subprocess.run(deploy, env=environment, check=True, timeout=120, capture_output=True)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(30)


def _answers(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/health", timeout=2).is_success)
    except httpx.HTTPError:
        return False
