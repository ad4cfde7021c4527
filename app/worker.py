"""A worker: joins the service with one address and one token, then runs a Prefect process worker as a child.

Nothing outlives it: the Prefect worker runs below a keeper (app.services.keeper), and whatever that leaves behind
when it is killed falls to this process, which ends it.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from app.schemas import WorkerHello
from app.services.children import adopt_orphans, ending_with_parent
from app.services.files import write_text
from app.services.join import make_hello, say_goodbye, say_hello
from app.services.keeper import end_all
from app.services.postgres import free_port
from app.settings import Settings

log = logging.getLogger("headrace.worker")

_HELLO_SECONDS = 10.0
_UNREACHABLE_SECONDS = 3.0
_RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_STOP_SECONDS = 30.0
_local = httpx.Client(timeout=2, trust_env=False)
"""Kept: to make a client loads the certificates, which costs more than the call."""
_OURS_ALONE = ("DATABASE_URL", "PREFECT_AUTH", "MLFLOW_PASSWORD", "ADMIN_TOKEN", "WORKER_TOKEN", "SMTP_PASSWORD")


class WorkerRefusedError(RuntimeError):
    """The service does not take this worker; the message says what to do."""


@dataclass
class Joined:
    """State of a worker that runs."""

    url: str
    token: str = field(repr=False)
    hello: WorkerHello
    home: Path
    warm: bool
    """Are flow runs forks of a process that has loaded Prefect and torch?"""
    process: subprocess.Popen[bytes] | None = None
    health_port: int = 0
    accepted_at: float = 0.0
    detail: str = ""
    heard_before: str | None = None
    """The heartbeat that the server knew when the child was started."""
    heard: bool = False
    """Has Prefect's server heard the child that runs now?"""
    starts: int = 0
    next_start: float = 0.0
    stopping: bool = False

    def environment(self) -> dict[str, str]:
        """Of the Prefect worker and of the flow runs that it starts. The service's own secrets stay out."""
        hidden = {f"HEADRACE_{name}" for name in _OURS_ALONE}
        kept = {k: v for k, v in os.environ.items() if k not in hidden and not k.startswith(("PREFECT_", "MLFLOW_"))}
        return kept | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            "HEADRACE_API_URL": self.url,
            "HEADRACE_API_TOKEN": self.token,
            "HEADRACE_HOME": str(self.home),
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_API_URL": f"{self.url}/api/v1/prefect/api",
            "PREFECT_API_AUTH_STRING": f"worker:{self.token}",
            "PREFECT_WORKER_QUERY_SECONDS": "0.5",  # the service holds each question while there is no work
            "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
            "PREFECT_WORKER_WEBSERVER_PORT": str(self.health_port),
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLI_PROMPT": "false",
            "DO_NOT_TRACK": "1",
            "PYTHONUNBUFFERED": "1",
        }


def work(url: str, token: str, pool: str, name: str, home: Path, *, warm: bool = True) -> int:
    """Run until SIGTERM or SIGINT. warm: flow runs are forks of a process that has loaded what they need.

    Raises WorkerRefusedError; an unreachable service is waited for."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise WorkerRefusedError(f"{url!r} is no address of a service: give one like http://host:8000 as --url")
    home.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    joined = Joined(url.rstrip("/"), token, make_hello(name, pool), home, warm)

    def stop(*_: object) -> None:
        joined.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=joined.url, headers=headers, timeout=10, trust_env=False) as client:
        try:
            _serve(joined, client)
        finally:
            _stop_child(joined)
            _report(joined, started=False)
            if joined.accepted_at:
                say_goodbye(client, joined.hello)
    log.info("worker %s has ended", name)
    return 0


def _serve(joined: Joined, client: httpx.Client) -> None:
    next_hello = next_look = 0.0
    while not joined.stopping:
        now = time.monotonic()
        if now >= next_hello:
            next_hello = now + (_HELLO_SECONDS if _greet(joined, client) else _UNREACHABLE_SECONDS)
        if joined.process is None and joined.accepted_at and now >= joined.next_start:
            _start_child(joined)
        if now >= next_look:
            _report(joined, started=_is_polling(joined))
            next_look = now + 2.0
        _watch_child(joined)
        time.sleep(0.2)


def _greet(joined: Joined, client: httpx.Client) -> bool:
    answer = say_hello(client, joined.hello)
    if answer.verdict == "refused":
        raise WorkerRefusedError(answer.detail)
    if answer.verdict == "accepted":
        if not joined.accepted_at:
            log.info("worker %s joined %s for pool %s", joined.hello.name, joined.url, joined.hello.pool)
        joined.accepted_at, joined.detail = time.time(), ""
        return True
    if joined.detail != answer.detail:
        log.warning("%s; trying again", answer.detail)
    joined.detail = answer.detail
    return False


def _start_child(joined: Joined) -> None:
    joined.health_port, joined.heard = free_port(), False
    with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
        joined.heard_before = _heartbeat(joined)
    prefect = [
        sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--pool", joined.hello.pool,
        "--name", joined.hello.name, "--with-healthcheck", "--install-policy", "never",
    ]  # fmt: skip
    joined.process = subprocess.Popen(
        [sys.executable, "-m", "app.services.keeper", *([sys.executable, "-m", "flows.warm"] * joined.warm), *prefect],
        env=joined.environment(),
        cwd=joined.home,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509  one thread
    )


def _watch_child(joined: Joined) -> None:
    if joined.process is None or joined.process.poll() is None:
        return
    code, joined.process = joined.process.returncode, None
    end_all(10)
    delay = _RESTART_SECONDS[min(joined.starts, len(_RESTART_SECONDS) - 1)]
    joined.starts += 1
    joined.next_start = time.monotonic() + delay
    log.warning("the Prefect worker ended with %s; it starts again in %.0f s", code, delay)


def _is_polling(joined: Joined) -> bool:
    """Does the Prefect worker ask for work? It says so itself, and once in its life the server must have heard it."""
    if joined.process is None:
        return False
    try:
        answer = _local.get(f"http://127.0.0.1:{joined.health_port}/health")
        joined.heard = answer.is_success and (joined.heard or _is_heard(joined))
        return joined.heard
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def _is_heard(joined: Joined) -> bool:
    """Has the Prefect server had a heartbeat of the worker since it was started? Clocks are not compared."""
    beat = _heartbeat(joined)
    if beat is None or beat == joined.heard_before:
        return False
    joined.starts = 0
    return True


def _heartbeat(joined: Joined) -> str | None:
    answer = httpx.post(
        f"{joined.url}/api/v1/prefect/api/work_pools/{joined.hello.pool}/workers/filter",
        json={"limit": 200},
        auth=("worker", joined.token),
        timeout=5,
        trust_env=False,
    )
    beats = {worker["name"]: worker["last_heartbeat_time"] for worker in answer.raise_for_status().json()}
    beat: str | None = beats.get(joined.hello.name)
    return beat


def _stop_child(joined: Joined) -> None:
    if joined.process is not None and joined.process.poll() is None:
        joined.process.send_signal(signal.SIGTERM)
        try:
            joined.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            joined.process.kill()
    end_all(5)


def _report(joined: Joined, started: bool) -> None:
    state = {
        "pid": os.getpid(),
        "name": joined.hello.name,
        "pool": joined.hello.pool,
        "accepted_at": joined.accepted_at,
        "started": started,
        "detail": joined.detail,
    }
    write_text(joined.home / "worker.json", json.dumps(state) + "\n")


def main() -> int:
    """`python -m app.worker --pool cpu`; the address and the token come from the environment."""
    parser = argparse.ArgumentParser(prog="python -m app.worker", description=__doc__)
    parser.add_argument("--pool", required=True)
    parser.add_argument("--name")
    arguments = parser.parse_args()
    settings = Settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    name = arguments.name or f"{socket.gethostname()}-{arguments.pool}"
    home = settings.home.expanduser().absolute()
    try:
        token = settings.api_token.get_secret_value()
        return work(settings.api_url, token, arguments.pool, name, home, warm=settings.warm_runs)
    except WorkerRefusedError as error:
        log.error("%s", error)  # noqa: TRY400  a message for a person, not a trace
        return 1


if __name__ == "__main__":
    sys.exit(main())
