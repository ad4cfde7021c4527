"""The outbox against a real MLflow server with its authentication on, read back with MLflow's own client."""

import asyncio
import hashlib
import math
import os
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from sqlalchemy import func, select, update

from app.models import Artifact, OutboxEntry, Run, new_id
from app.queries import outbox
from app.services import deletion
from app.services.blobs import build_store
from app.services.mlflow_client import MlflowClient, MlflowError, metric_name
from app.services.mlflow_outbox import MlflowOutbox
from app.services.postgres import free_port
from app.settings import Settings

PASSWORD = "a-password-of-tests"


@pytest.fixture(scope="module")
def mlflow_server(postgres, tmp_path_factory):
    """The server as the stack starts it: Postgres, basic authentication, no job runner."""
    folder = tmp_path_factory.mktemp("mlflow")
    database = postgres.create_database("mlflow").replace("postgresql://", "postgresql+psycopg://")
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\nadmin_username = headrace\n"
        f"database_uri = {database.replace('%', '%%')}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    url = f"http://127.0.0.1:{free_port()}"
    environment = os.environ | {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    command = [
        sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--backend-store-uri", database,
        "--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1",
        "--port", str(urlsplit(url).port), "--workers", "1",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        wait_until_up(url, process, folder / "log")
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def wait_until_up(url, process, log):
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"MLflow did not come up: {log.read_text()[-2000:]}")


@pytest.fixture
def settings(settings, mlflow_server):
    changes = {"mlflow_url": mlflow_server, "mlflow_username": "headrace", "mlflow_password": PASSWORD}
    return Settings(**(settings.model_dump() | changes))


@pytest.fixture
def mlflow_client(mlflow_server, monkeypatch):
    """MLflow's own client."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "headrace")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    from mlflow import MlflowClient as TheirClient

    return TheirClient(tracking_uri=mlflow_server, registry_uri=mlflow_server)


@pytest.fixture
async def teller(settings, database):
    """The outbox without its own loop: tests call `drain`."""
    made = MlflowOutbox(settings, database, build_store(settings))
    yield made
    await made.stop()


async def put_run(database, **fields):
    values = {"kind": "training", "name": "toy run", "spec_hash": "abc", "pool": "cpu", "tags": ["nightly"]}
    values |= {"spec": {"optimizer": {"kind": "adamw", "lr": 0.003}, "betas": [0.9, 0.95], "dataset": None}}
    run_id = new_id()
    async with database.begin() as session:
        session.add(Run(id=run_id, **(values | fields)))
        await session.flush()
        await outbox.append(session, run_id, "run")
    return run_id


async def report(database, run_id, kind, payload=None):
    async with database.begin() as session:
        await outbox.append(session, run_id, kind, payload)


async def put_blob(settings, content):
    async def chunks():
        yield content

    sha256 = hashlib.sha256(content).hexdigest()
    await build_store(settings).write(sha256, chunks())
    return {"sha256": sha256, "num_bytes": len(content)}


async def row_of(database, run_id):
    async with database.begin() as session:
        return await session.get(Run, run_id)


async def waiting(database):
    async with database.begin() as session:
        return await session.scalar(select(func.count()).select_from(OutboxEntry))


async def test_a_run_is_readable_with_mlflows_own_client(database, teller, mlflow_client):
    parent_id = await put_run(database, kind="pipeline", name="whole")
    run_id = await put_run(database, parent_id=parent_id)
    column = {"key": "loss", "branch": 0, "steps": list(range(2500)), "values": [5.0 / (n + 1) for n in range(2500)]}
    column["times"] = [1.7e9 + n for n in range(2500)]
    odd = {"key": "norm/layers[0]", "branch": 0, "steps": [1, 2], "values": [None, "Infinity"], "times": [1.7e9] * 2}
    await report(database, run_id, "metrics", {"columns": [column]})
    await report(database, run_id, "metrics", {"columns": [odd]})
    async with database.begin() as session:
        done = {"state": "completed", "finished_at": datetime(2026, 1, 2, tzinfo=UTC)}
        done |= {"summary": {"bits_per_byte": {"en": 1.5}, "note": "fine"}}
        await session.execute(update(Run).where(Run.id == run_id).values(**done))
    await report(database, run_id, "summary")
    await report(database, run_id, "state", {"state": "completed"})
    while await teller.drain():
        pass
    assert await waiting(database) == 0

    row = await row_of(database, run_id)
    run = mlflow_client.get_run(row.mlflow_run_id)
    assert mlflow_client.get_experiment(row.mlflow_experiment_id).name == "headrace/training"
    assert run.info.run_name == "toy run"
    assert run.info.status == "FINISHED"
    assert run.info.end_time == 1767312000000
    assert run.data.params["optimizer/lr"] == "0.003"
    assert run.data.params["betas/1"] == "0.95"
    assert run.data.params["dataset"] == "none"
    assert run.data.tags["headrace.run_id"] == run_id
    assert run.data.tags["mlflow.parentRunId"] == (await row_of(database, parent_id)).mlflow_run_id
    assert run.data.tags["tag.nightly"] == "true"
    assert run.data.tags["summary/note"] == "fine"
    assert run.data.metrics["summary/bits_per_byte/en"] == 1.5
    history = mlflow_client.get_metric_history(row.mlflow_run_id, "loss")
    assert [(one.step, one.value) for one in history] == list(zip(column["steps"], column["values"], strict=True))
    assert history[0].timestamp == 1_700_000_000_000
    first, second = mlflow_client.get_metric_history(row.mlflow_run_id, metric_name("norm/layers[0]"))
    assert math.isnan(first.value)
    assert second.value > 1e300


async def test_telling_it_twice_changes_nothing(database, teller, mlflow_client):
    run_id = await put_run(database)
    column = {"key": "loss", "branch": 0, "steps": [1, 2], "values": [3.0, 2.0], "times": []}
    await report(database, run_id, "metrics", {"columns": [column]})
    async with database.begin() as session:
        entries = await outbox.entries(session, run_id, 10)
    # As if the process had died after MLflow took each entry and before it was removed here.
    for entry in entries:
        await teller._record.tell(run_id, [entry])
    async with database.begin() as session:
        await session.execute(update(Run).where(Run.id == run_id).values(mlflow_run_id=None, mlflow_experiment_id=None))
    await teller.drain()
    row = await row_of(database, run_id)
    found = mlflow_client.search_runs([row.mlflow_experiment_id], f"tags.`headrace.run_id` = '{run_id}'")
    assert [one.info.run_id for one in found] == [row.mlflow_run_id]
    history = mlflow_client.get_metric_history(row.mlflow_run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(1, 3.0), (2, 2.0)]


async def test_a_release_becomes_a_registered_model(settings, database, teller, mlflow_client, tmp_path):
    run_id = await put_run(database, kind="release")
    card, weights = b"# Model card", os.urandom(300_000)
    files = [
        {"path": "README.md", **await put_blob(settings, card)},
        {"path": "sub/model.safetensors", **await put_blob(settings, weights)},
    ]
    digest = "sha256:" + hashlib.sha256(run_id.encode()).hexdigest()
    name = f"tiny-{run_id}"
    async with database.begin() as session:
        session.add(Artifact(run_id=run_id, attempt=1, kind="release", name=name, digest=digest, files=files))
    for _ in range(2):  # the second report is a repeat
        await report(database, run_id, "artifact", {"digest": digest, "kind": "release", "name": name})
        await teller.drain()
    versions = mlflow_client.search_model_versions(f"name = '{name}'")
    assert [one.version for one in versions] == ["1"] or [one.version for one in versions] == [1]
    assert versions[0].tags["headrace.digest"] == digest
    row = await row_of(database, run_id)
    assert versions[0].run_id == row.mlflow_run_id
    path = mlflow_client.download_artifacts(row.mlflow_run_id, f"release/{name}/sub/model.safetensors", str(tmp_path))
    assert await asyncio.to_thread(Path(path).read_bytes) == weights


async def test_what_mlflow_refuses_holds_nothing_up(database, teller, mlflow_client):
    run_id = await put_run(database)
    await teller.drain()
    broken = {"key": "loss", "branch": 0, "steps": ["x"], "values": [1.0], "times": [1.7e9]}
    await report(database, run_id, "metrics", {"columns": [broken]})
    await report(database, run_id, "state", {"state": "failed"})
    await teller.drain()
    assert await waiting(database) == 0
    assert mlflow_client.get_run((await row_of(database, run_id)).mlflow_run_id).info.status == "FAILED"


async def test_while_mlflow_is_away_reports_wait_in_order(settings, database, mlflow_client):
    away = Settings(**(settings.model_dump() | {"mlflow_url": f"http://127.0.0.1:{free_port()}"}))
    teller = MlflowOutbox(away, database, build_store(away))
    run_id = await put_run(database)
    await report(database, run_id, "state", {"state": "running"})
    assert await teller.drain() == 0
    assert await teller.drain() == 0  # not due again yet
    await teller.stop()
    async with database.begin() as session:
        first = (await outbox.entries(session, run_id, 10))[0]
        assert first.tries == 1
        assert "does not answer" in first.error
        assert first.not_before > datetime.now(UTC)
        count, error = await outbox.backlog(session)
        assert (count, error) == (2, first.error)
        await session.execute(update(OutboxEntry).values(not_before=func.now()))
    back = MlflowOutbox(settings, database, build_store(settings))
    assert await back.drain() == 2
    await back.stop()
    assert mlflow_client.get_run((await row_of(database, run_id)).mlflow_run_id).info.status == "RUNNING"


async def test_a_deleted_run_goes_from_mlflow_though_mlflow_was_away(settings, database, teller, mlflow_client):
    run_id = await put_run(database, kind="release", state="completed")
    name, digest = f"gone-{run_id}", "sha256:" + hashlib.sha256(run_id.encode()).hexdigest()
    files = [{"path": "README.md", **await put_blob(settings, run_id.encode())}]
    async with database.begin() as session:
        session.add(Artifact(run_id=run_id, attempt=1, kind="release", name=name, digest=digest, files=files))
    await report(database, run_id, "artifact", {"digest": digest, "kind": "release", "name": name})
    await teller.drain()
    mlflow_id = (await row_of(database, run_id)).mlflow_run_id
    assert mlflow_client.list_artifacts(mlflow_id, f"release/{name}")
    async with database.begin() as session:  # as if the link to MLflow's run had been lost in a crash
        await session.execute(update(Run).where(Run.id == run_id).values(mlflow_run_id=None))
    store = build_store(settings)
    async with database.begin() as session:
        operation_id = await deletion.request(session, run_id, "toy run", "me")
    await deletion.proceed(database, store, operation_id, 30)
    assert await row_of(database, run_id) is None
    away = MlflowOutbox(
        Settings(**(settings.model_dump() | {"mlflow_url": f"http://127.0.0.1:{free_port()}"})), database, store
    )
    assert await away.drain() == 0
    await away.stop()
    assert await waiting(database) == 1, "the row is gone, and MLflow must still learn of it"
    async with database.begin() as session:
        (entry,) = await outbox.entries(session, run_id, 10)
        await session.execute(update(OutboxEntry).values(not_before=func.now()))
    assert await teller.drain() == 1
    assert mlflow_client.get_run(mlflow_id).info.lifecycle_stage == "deleted"
    assert mlflow_client.search_model_versions(f"name = '{name}'") == []
    assert mlflow_client.list_artifacts(mlflow_id, f"release/{name}") == []
    await teller._record.tell(run_id, [entry])  # as if this process had died before it removed the entry


async def test_a_wrong_password_is_told_and_loses_nothing(settings, database):
    wrong = Settings(**(settings.model_dump() | {"mlflow_password": "not-the-password"}))
    client = MlflowClient(wrong)
    with pytest.raises(MlflowError, match="401") as caught:
        await client.experiment("x")
    assert not caught.value.final
    await client.close()


async def test_the_service_drains_it_beside_everything_else(app, database, mlflow_client, settings):
    run_id = await put_run(database, state="completed")
    for _ in range(200):
        row = await row_of(database, run_id)
        if row.mlflow_run_id:
            break
        await asyncio.sleep(0.1)
    assert mlflow_client.get_run(row.mlflow_run_id).data.tags["headrace.run_id"] == run_id


def test_nothing_but_its_health_is_open(mlflow_server, postgres):
    assert httpx.get(f"{mlflow_server}/health").is_success
    body = {"max_results": 1}
    assert httpx.post(f"{mlflow_server}/api/2.0/mlflow/experiments/search", json=body).status_code == 401
    with psycopg.connect(postgres.url("mlflow")) as connection:
        tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables").fetchall()}
    assert {"runs", "users", "alembic_version_auth"} <= tables
