"""The embedded stack as a person meets it: up, second up, crashes, what is open, kill -9 of the supervisor, down."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

HEADRACE = Path(sys.executable).with_name("headrace")

pytestmark = pytest.mark.timeout(600)


class Stack:
    """The CLI on one data folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HEADRACE_", "PREFECT_", "MLFLOW_"))}
        self.environment = clean | {"HEADRACE_HOME": str(home)}

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HEADRACE, *arguments], env=self.environment | settings, capture_output=True, text=True, timeout=300
        )

    def up(self) -> str:
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    def part(self, name: str) -> dict[str, Any]:
        return json.loads((self.home / "stack.json").read_text())["parts"][name]

    def secrets(self) -> dict[str, str]:
        return json.loads((self.home / "secrets.json").read_text())

    def processes(self) -> list[psutil.Process]:
        """Live processes that carry the stack's mark."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HEADRACE_STACK") == str(self.home):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def wait(until: Callable[[], Any], seconds: float = 60) -> Any:
    """What `until` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := until():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("stack") / "home")
    made.output = made.up()
    yield made
    made.run("down")
    for process in made.processes():
        process.kill()


def test_all_parts_are_healthy(stack):
    status = stack.status()
    assert status["running"]
    assert status["healthy"]
    wanted = {"postgres", "migrations", "prefect", "mlflow", "api", "deployments", "worker-cpu", "worker-control"}
    assert wanted <= status["parts"].keys()
    assert httpx.get(f"{status['url']}/api/v1/health").json()["ok"]


def test_login_link_works_once(stack):
    link = next(line.split()[-1] for line in stack.output.splitlines() if line.startswith("Log in"))
    with httpx.Client() as browser:
        assert browser.get(link).status_code in {302, 303}
        assert browser.cookies
        url = stack.status()["url"]
        assert browser.get(f"{url}/api/v1/auth/session").json()["role"] == "admin"
    with httpx.Client() as thief:
        thief.get(link)
        assert thief.get(f"{url}/api/v1/auth/session").status_code == 401


def test_second_up_says_that_it_runs(stack):
    before = stack.status()["parts"]
    output = stack.up()
    assert "runs already" in output
    assert {n: p["pid"] for n, p in stack.status()["parts"].items()} == {n: p["pid"] for n, p in before.items()}


def test_secrets_are_the_owners_alone(stack):
    assert (stack.home / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (stack.home / "postgres" / "password").stat().st_mode & 0o777 == 0o600
    assert (stack.home / "mlflow" / "auth.ini").stat().st_mode & 0o777 == 0o600
    secrets = [value for key, value in stack.secrets().items() if key != "mlflow_username"]
    secrets += [secret.partition(":")[2] for secret in secrets if ":" in secret]
    secrets.append((stack.home / "postgres" / "password").read_text().strip())
    for process in stack.processes():
        shown = " ".join(process.cmdline())
        assert not any(secret in shown for secret in secrets), f"a secret stands on a command line: {process.name()}"


def test_everything_listens_on_loopback_alone(stack):
    pids = {process.pid for process in stack.processes()}
    open_to = {
        (c.laddr.ip, c.laddr.port)
        for c in psutil.net_connections(kind="inet")
        if c.pid in pids and c.status == psutil.CONN_LISTEN
    }
    assert len(open_to) >= 4
    assert {ip for ip, _ in open_to} <= {"127.0.0.1", "::1"}


def test_prefect_and_mlflow_ask_for_a_password(stack):
    parts, secrets = stack.status()["parts"], stack.secrets()
    prefect = f"{parts['prefect']['url']}/api/work_pools/filter"
    assert httpx.post(prefect, json={}).status_code == 401
    assert httpx.post(prefect, json={}, auth=tuple(secrets["prefect_auth"].split(":"))).is_success
    mlflow = f"{parts['mlflow']['url']}/api/2.0/mlflow/experiments/search?max_results=1"
    assert httpx.get(mlflow).status_code == 401
    assert httpx.get(mlflow, auth=(secrets["mlflow_username"], secrets["mlflow_password"])).is_success


def test_cron_deployment_gets_future_runs(stack):
    """With SQLAlchemy 2.1 Prefect's scheduler makes none and says nothing."""
    url = stack.status()["parts"]["prefect"]["url"]
    user, _, password = stack.secrets()["prefect_auth"].partition(":")
    with httpx.Client(base_url=f"{url}/api", auth=(user, password)) as prefect:
        deployments = prefect.post("/deployments/filter", json={}).json()
        cron = next(d for d in deployments if d["schedules"] and not d["paused"])
        query = {
            "deployments": {"id": {"any_": [cron["id"]]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        }
        assert len(wait(lambda: prefect.post("/flow_runs/filter", json=query).json(), 90)) > 1


def test_a_schedule_launches_and_tells_what_it_missed(stack):
    spec = stack.home / "scheduled.yaml"
    spec.write_text("kind: training\nname: by the clock\n")
    made = stack.run("schedules", "create", "hourly", str(spec), "--every", "1h", "--json")
    assert made.returncode == 0, made.stderr
    schedule = json.loads(made.stdout)
    user, _, password = stack.secrets()["prefect_auth"].partition(":")
    prefect = f"{stack.status()['parts']['prefect']['url']}/api"
    due = "2026-01-01T00:00:00+00:00"
    late = {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}}
    url = f"{prefect}/deployments/{schedule['deployment_id']}/create_flow_run"
    assert httpx.post(url, json=late, auth=(user, password)).is_success
    assert stack.run("schedules", "run", "hourly").returncode == 0

    def launched():
        rows = json.loads(stack.run("schedules", "list", "--json").stdout)
        (found,) = [row for row in rows if row["name"] == "hourly"]
        return found["last_runs"] if any(run["state"] == "launched" for run in found["last_runs"]) else None

    (run,) = [run for run in wait(launched, 90) if run["state"] == "launched"]
    told = json.loads(stack.run("run", run["run_id"], "--json").stdout)
    assert (told["name"], told["tags"]) == ("by the clock", ["scheduled", "schedule:hourly"])
    query = {"flow_runs": {"expected_start_time": {"before_": "2026-01-02T00:00:00+00:00"}}}
    flow_runs = f"{prefect}/flow_runs/filter"

    def ended():
        (flow_run,) = httpx.post(flow_runs, json=query, auth=(user, password)).json()
        return flow_run["state"] if flow_run["state"]["type"] == "COMPLETED" else None

    missed = wait(ended, 90)
    assert (missed["name"], due in missed["message"]) == ("Missed", True), "it came too late to launch anything"
    assert stack.run("schedules", "pause", "hourly").returncode == 0
    assert stack.run("schedules", "delete", "hourly").returncode == 0


def test_workers_are_listed(stack):
    client = httpx.Client(
        base_url=f"{stack.status()['url']}/api/v1",
        headers={"Authorization": f"Bearer {stack.secrets()['admin_token']}"},
    )
    answer = client.get("/workers").json()
    workers = answer["items"] if isinstance(answer, dict) else answer
    assert {"cpu", "control"} <= {worker["pool"] for worker in workers if worker["state"] == "online"}


@pytest.mark.parametrize("name", ["api", "worker-cpu", "postgres"])
def test_killed_part_is_restarted_and_reported(stack, name):
    before = stack.part(name)
    below = psutil.Process(before["pid"]).children(recursive=True)
    os.kill(before["pid"], signal.SIGKILL)
    after = wait(lambda: (p := stack.part(name))["restarts"] > before["restarts"] and p["phase"] == "healthy" and p, 90)
    assert after["pid"] != before["pid"]
    wait(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in below), 30)
    assert "SIGKILL" in (stack.home / "logs" / "stack.log").read_text()
    wait(lambda: stack.status()["healthy"], 60)


def test_configured_port_that_is_taken(stack, tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = Stack(tmp_path / "other").run("up", HEADRACE_PORT=str(port))
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "HEADRACE_PORT" in done.stderr
    assert str(os.getpid()) in done.stderr, "the holder is named"
    assert not Stack(tmp_path / "other").processes()


def test_supervisor_killed_then_up_then_down_leaves_nothing(stack):
    ports = stack.status()["ports"]
    os.kill(stack.status()["pid"], signal.SIGKILL)
    wait(lambda: not stack.status()["running"], 5)
    wait(lambda: not stack.processes(), 60)
    assert stack.run("status").returncode == 1
    stack.up()
    assert stack.status()["healthy"]
    assert stack.status()["ports"] == ports, "ports are remembered"
    done = stack.run("down")
    assert done.returncode == 0
    assert stack.processes() == []
    assert "Nothing ran" in stack.run("down").stdout
