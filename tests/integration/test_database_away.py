"""The database goes away and comes back under the running service."""

import psycopg
import pytest
from pydantic import SecretStr

from app.services.postgres import EmbeddedPostgres


@pytest.fixture
def own_postgres(tmp_path):
    server = EmbeddedPostgres(tmp_path / "own", fast=True)
    server.start()
    yield server
    server.stop()


async def test_requests_get_503_until_it_is_back(own_postgres, settings, orchestrator, serving):
    url = SecretStr(own_postgres.create_database("headrace"))
    async with serving(settings.model_copy(update={"database_url": url}), orchestrator) as api:
        made = await api.post("/api/v1/runs", json={"spec": {"kind": "training"}})
        assert made.status_code == 201
        own_postgres.stop()
        for _ in range(3):
            away = await api.get("/api/v1/runs")
            assert away.status_code == 503, away.text
            assert away.headers["content-type"] == "application/problem+json"
            assert away.headers["Retry-After"]
            assert "Traceback" not in away.text
        own_postgres.start()
        with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
            connection.execute("ALTER DATABASE headrace ALLOW_CONNECTIONS false")
        assert (await api.get("/api/v1/runs")).status_code == 503
        with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
            connection.execute("ALTER DATABASE headrace ALLOW_CONNECTIONS true")
        back = await api.get("/api/v1/runs")
        assert [item["id"] for item in back.json()["items"]] == [made.json()["id"]]
