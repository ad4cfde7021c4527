"""The real service for the browser: uvicorn in a thread, on the real Postgres, with the built UI.

No Prefect stands behind it: launched runs wait until somebody reports for them, as a worker would.
"""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from app.main import create_app
from app.settings import Settings

UI_DIST = Path(__file__).parents[2] / "ui" / "dist"


@dataclass(frozen=True)
class Service:
    """Where it listens, and the tokens it takes."""

    url: str
    admin_token: str
    worker_token: str

    def login_link(self) -> str:
        """A link that logs one browser in."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        answer = httpx.post(f"{self.url}/api/v1/auth/login-link", headers=headers, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["url"])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(database_url: str, folder: Path, **changes: Any) -> Iterator[Service]:
    """Start the service and stop it at the end. Raises RuntimeError when it does not come up in 30 s."""
    port = free_port()
    service = Service(f"http://127.0.0.1:{port}", "hr_" + secrets.token_urlsafe(32), "hr_" + secrets.token_urlsafe(32))
    settings = Settings(
        database_url=database_url,
        home=folder / "home",
        storage=str(folder / "storage"),
        admin_token=service.admin_token,
        worker_token=service.worker_token,
        port=port,
        public_url=service.url,
        ui_dist=UI_DIST,
        prefect_api_url=changes.pop("prefect_api_url", "http://127.0.0.1:9/api"),
        reconcile_seconds=3600,
        dead_after_seconds=3600,
        **changes,
    )
    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _wait(server, thread)
        yield service
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(20)


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + 30
    while not server.started:
        if time.monotonic() > until or not thread.is_alive():
            raise RuntimeError("the service did not start; its log stands above")
        time.sleep(0.05)
