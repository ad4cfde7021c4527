"""The parts of the embedded stack: for each its command line, environment, health check and what it waits for.

Secrets travel in the environment, never on a command line, where any local user could read them.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from app.services.files import write_text
from app.services.postgres import EmbeddedPostgres, ensure_database

Check = Callable[[int], str | None]
"""Given the pid: None when healthy, else what is the matter in a few words."""

_CHECK_SECONDS = 3.0
_HELLO_SECONDS = 60.0


@dataclass(frozen=True)
class Part:
    """One process that the supervisor keeps alive; with `once` a job that must end well."""

    name: str
    command: list[str]
    environment: dict[str, str]
    check: Check
    after: tuple[str, ...] = ()
    url: str | None = None
    once: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    prepare: Callable[[], None] | None = None
    """Runs before each start; an exception is shown as the reason why the part does not start."""


@dataclass(frozen=True)
class Addresses:
    """Where the parts are and how they know one another: what the environments are made of."""

    home: Path
    database_url: str
    """Of the database `headrace`; those of Prefect and MLflow stand on the same server."""
    storage: str
    api_host: str
    api_port: int
    public_url: str
    prefect_api_url: str
    prefect_auth: str = field(repr=False)
    mlflow_url: str = ""
    mlflow_username: str = ""
    mlflow_password: str = field(default="", repr=False)
    mlflow_session_key: str = field(default="", repr=False)
    admin_token: str = field(default="", repr=False)
    worker_token: str = field(default="", repr=False)
    ui_dist: str = ""

    def database(self, name: str, driver: str = "") -> str:
        """The url of a neighbour database; for SQLAlchemy with its driver."""
        parts = urlsplit(self.database_url)
        return urlunsplit(parts._replace(scheme=f"postgresql+{driver}" if driver else "postgresql", path=f"/{name}"))


def base_environment(home: Path) -> dict[str, str]:
    """Of every part: the caller's, without settings of other Prefects and MLflows; nothing phones home."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "MLFLOW_"))}
    return {
        **kept,
        "HEADRACE_HOME": str(home),
        "HEADRACE_STACK": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONUNBUFFERED": "1",
    }


def answers(url: str) -> Check:
    """A check: GET answers with 2xx."""
    client = httpx.Client(timeout=_CHECK_SECONDS, trust_env=False)

    def check(_pid: int) -> str | None:
        try:
            response = client.get(url)
        except httpx.HTTPError as error:
            return f"{url}: {error or type(error).__name__}"
        return None if response.is_success else f"{url} answers {response.status_code}"

    return check


def worker_reports(folder: Path) -> Check:
    """A check: the worker's own state file is fresh and says that the service knows it."""

    def check(pid: int) -> str | None:
        try:
            state: dict[str, Any] = json.loads((folder / "worker.json").read_text())
        except (OSError, ValueError):
            return "has not reported yet"
        if state["pid"] != pid:
            return "has not reported yet"
        if time.time() - state["accepted_at"] > _HELLO_SECONDS:
            return str(state["detail"] or "the service has not heard of it for a minute")
        return None if state["started"] else "its Prefect worker is not up"

    return check


def prefect_part(at: Addresses, port: int) -> Part:
    """The Prefect server, on loopback with its authentication on."""
    environment = base_environment(at.home) | {
        "PREFECT_API_DATABASE_CONNECTION_URL": at.database("prefect", "asyncpg"),
        "PREFECT_SERVER_API_AUTH_STRING": at.prefect_auth,
        "PREFECT_API_AUTH_STRING": at.prefect_auth,
        "PREFECT_UI_STATIC_DIRECTORY": str(at.home / "prefect" / "ui"),
    }
    return Part(
        name="prefect",
        command=[sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        environment=environment,
        check=answers(f"{at.prefect_api_url}/health"),
        after=("postgres",),
        url=at.prefect_api_url.removesuffix("/api"),
        prepare=lambda: ensure_database(at.database("prefect")),
    )


def mlflow_part(at: Addresses, port: int) -> Part:
    """The MLflow server, on loopback with basic authentication; its job runner (8 processes) stays off."""
    folder = at.home / "mlflow"
    environment = base_environment(at.home) | {
        "MLFLOW_BACKEND_STORE_URI": at.database("mlflow", "psycopg"),
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": at.mlflow_username,
        "MLFLOW_AUTH_ADMIN_PASSWORD": at.mlflow_password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": at.mlflow_session_key,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }

    def prepare() -> None:
        ensure_database(at.database("mlflow"))
        config = f"""[mlflow]
default_permission = READ
database_uri = {at.database("mlflow", "psycopg").replace("%", "%%")}
admin_username = {at.mlflow_username}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
        write_text(folder / "auth.ini", config, mode=0o600)

    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--app-name", "basic-auth", "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    return Part(
        name="mlflow",
        command=command,
        environment=environment,
        check=answers(f"{at.mlflow_url}/health"),
        after=("postgres",),
        url=at.mlflow_url,
        prepare=prepare,
    )


def migrations_part(at: Addresses) -> Part:
    """The job that brings the database `headrace` up to date."""
    return Part(
        name="migrations",
        command=[sys.executable, "-m", "migrations", "upgrade", "head"],
        environment=base_environment(at.home) | {"HEADRACE_DATABASE_URL": at.database_url},
        check=lambda _pid: None,
        after=("postgres",),
        once=True,
        prepare=lambda: ensure_database(at.database_url),
    )


def postgres_part(postgres: EmbeddedPostgres, home: Path) -> Part:
    """The embedded Postgres."""
    return Part(
        name="postgres",
        command=postgres.command(),
        environment=base_environment(home),
        check=lambda pid: None if postgres.ready(pid) else "does not take connections yet",
        url=f"postgresql://127.0.0.1:{postgres.port}",
        stop_signal=signal.SIGINT,
        stop_seconds=60.0,
        prepare=postgres.initialize,
    )


def api_part(at: Addresses) -> Part:
    """The API, which also serves the UI."""
    command = [
        sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--host", at.api_host,
        "--port", str(at.api_port), "--no-server-header", "--timeout-graceful-shutdown", "5",
    ]  # fmt: skip
    environment = base_environment(at.home) | {
        "HEADRACE_DATABASE_URL": at.database_url,
        "HEADRACE_STORAGE": at.storage,
        "HEADRACE_HOST": at.api_host,
        "HEADRACE_PORT": str(at.api_port),
        "HEADRACE_PUBLIC_URL": at.public_url,
        "HEADRACE_PREFECT_API_URL": at.prefect_api_url,
        "HEADRACE_PREFECT_AUTH": at.prefect_auth,
        "HEADRACE_MLFLOW_URL": at.mlflow_url,
        "HEADRACE_MLFLOW_USERNAME": at.mlflow_username,
        "HEADRACE_MLFLOW_PASSWORD": at.mlflow_password,
        "HEADRACE_ADMIN_TOKEN": at.admin_token,
        "HEADRACE_WORKER_TOKEN": at.worker_token,
        "HEADRACE_UI_DIST": at.ui_dist,
    }
    check = answers(f"http://{reachable(at.api_host)}:{at.api_port}/api/v1/health")
    return Part("api", command, environment, check, after=("migrations",), url=at.public_url)


def reachable(host: str) -> str:
    """Where a server bound to `host` is reached from this machine."""
    return "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104  compared with, never bound to


def deployments_part(at: Addresses) -> Part:
    """The job that registers pools, queues and deployments with Prefect."""
    environment = base_environment(at.home) | {
        "PREFECT_API_URL": at.prefect_api_url,
        "PREFECT_API_AUTH_STRING": at.prefect_auth,
    }
    command = [sys.executable, "-m", "flows.deploy"]
    return Part("deployments", command, environment, check=lambda _pid: None, after=("prefect",), once=True)


def worker_part(at: Addresses, pool: str) -> Part:
    """A worker of `pool`, joined as one on another machine would be: one address, one token, its own folder."""
    folder = at.home / "workers" / pool
    environment = base_environment(at.home) | {
        "HEADRACE_HOME": str(folder),
        "HEADRACE_API_URL": at.public_url,
        "HEADRACE_API_TOKEN": at.worker_token,
    }

    def prepare() -> None:
        """A fetched corpus lies in the stack's folder: this machine's workers see it in theirs."""
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "corpora").is_symlink():
            (folder / "corpora").symlink_to(at.home / "corpora")

    command = [sys.executable, "-m", "app.worker", "--pool", pool]
    return Part(
        name=f"worker-{pool}",
        command=command,
        environment=environment,
        check=worker_reports(folder),
        after=("api", "deployments"),
        stop_seconds=45.0,
        prepare=prepare,
    )
