"""The embedded stack on one machine: Postgres, Prefect, MLflow, the API with the UI, workers.

`python -m app.stack` is the supervisor, a daemon; `start`, `stop` and `read_state` are what the CLI calls. A part
whose address is given in the settings runs elsewhere and is not started.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from app.services.credentials import make_credentials
from app.services.ports import choose_port
from app.services.postgres import EmbeddedPostgres
from app.services.stack_file import StackState, is_running, read_state, take_lock
from app.settings import Settings

_MIN_FREE_BYTES = 1_000_000_000
_START_SECONDS = 300.0
_STOP_SECONDS = 150.0


class StackError(RuntimeError):
    """The stack cannot be started or stopped; the message says what to do."""


def home_of(settings: Settings) -> Path:
    """The data folder, absolute."""
    return settings.home.expanduser().absolute()


def start(settings: Settings, show: Callable[[StackState], None]) -> StackState:
    """Start the supervisor and wait until every part is healthy; `show` sees each new state.

    Raises StackError, PortTakenError or ValueError with what to do.
    """
    home = home_of(settings)
    _prepare_home(home)
    sweep(home)
    make_credentials(home)
    state = StackState(ports=_choose_ports(settings, read_state(home).ports))
    state.write(home)
    (home / "logs").mkdir(exist_ok=True)
    with (home / "logs" / "stack.log").open("ab") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "app.stack"],
            env={**os.environ, "HEADRACE_HOME": str(home), "HEADRACE_UI_DIST": str(_ui_dist(settings))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return _wait(home, daemon, show)


def _wait(home: Path, daemon: subprocess.Popen[bytes], show: Callable[[StackState], None]) -> StackState:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        state = read_state(home)
        if state.parts:
            show(state)
        if daemon.poll() is not None:
            raise StackError(state.error or f"the supervisor ended; see {home / 'logs' / 'stack.log'}")
        if state.healthy:
            return state
        time.sleep(0.1)
    late = [f"{name} ({part.detail or part.phase})" for name, part in read_state(home).parts.items() if part.phase
            not in {"healthy", "done"}]  # fmt: skip
    raise StackError(
        f"not healthy after {_START_SECONDS:.0f} s: {', '.join(late)}; logs are in {home / 'logs'}, "
        "`headrace down` stops what runs"
    )


def stop(settings: Settings) -> bool:
    """Stop everything in order and leave no process. False: nothing ran."""
    home = home_of(settings)
    if not is_running(home):
        return sweep(home) > 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(read_state(home).pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while is_running(home):
        if time.monotonic() > deadline:
            os.kill(read_state(home).pid, signal.SIGKILL)
            break
        time.sleep(0.1)
    sweep(home)
    return True


def sweep(home: Path) -> int:
    """End what a killed supervisor left behind (all its processes carry HEADRACE_STACK); how many there were."""
    found = list(_marked(home))
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=20)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(found)


def _marked(home: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("HEADRACE_STACK") == str(home):
                yield process


def _prepare_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(home).free
    except OSError as error:
        raise StackError(f"{home} cannot be used: {error.strerror}; set HEADRACE_HOME to another folder") from error
    if free < _MIN_FREE_BYTES:
        raise StackError(
            f"only {free / 1e6:.0f} MB are free below {home}, {_MIN_FREE_BYTES / 1e6:.0f} MB are needed: "
            "make room, or set HEADRACE_HOME to a folder on another disk"
        )


def _choose_ports(settings: Settings, remembered: dict[str, int]) -> dict[str, int]:
    wanted = {"api": settings.port}
    if not settings.database_url.get_secret_value():
        wanted["postgres"] = settings.postgres_port
    if not settings.prefect_api_url:
        wanted["prefect"] = settings.prefect_port
    if not settings.mlflow_url:
        wanted["mlflow"] = settings.mlflow_port
    ports: dict[str, int] = {}
    for part, port in wanted.items():
        host = settings.host if part == "api" else "127.0.0.1"
        chosen = choose_port(part, port, remembered.get(part, 0), host)
        while chosen in ports.values():  # two free ports asked for one after the other may be the same one
            chosen = choose_port(part, 0, 0, host)
        ports[part] = chosen
    return ports


def _ui_dist(settings: Settings) -> Path:
    built = settings.ui_dist.absolute()
    return built if built.exists() else Path(__file__).parents[1] / "ui" / "dist"


def main() -> int:
    """The supervisor. Exit code 1 when a part does not start, 3 when another supervisor has this home."""
    from app.services.plan import make_parts
    from app.services.supervisor import Supervisor

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings()
    home = home_of(settings)
    if take_lock(home) is None:  # held until this process ends
        return 3
    state = StackState(pid=os.getpid(), ports=read_state(home).ports)
    try:
        postgres = _postgres(settings, home, state.ports)
        parts, state.url = make_parts(settings, home, state.ports, make_credentials(home), postgres)
    except Exception as error:
        state.error = str(error)
        state.write(home)
        raise
    supervisor = Supervisor(home, parts, state)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run()
    return 1 if state.error else 0


def _postgres(settings: Settings, home: Path, ports: dict[str, int]) -> EmbeddedPostgres | None:
    if settings.database_url.get_secret_value():
        return None
    postgres = EmbeddedPostgres(home / "postgres", ports["postgres"])
    postgres.initialize()
    return postgres


if __name__ == "__main__":
    sys.exit(main())
