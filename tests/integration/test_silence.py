"""A worker that stands still for a while, and a service that is away for a while, are no crash; a long silence is one.

The reporter of a real worker process, over HTTP, against the real service with a lease of seconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest
import uvicorn

from app.main import create_app
from app.services.postgres import free_port
from flows.api import Api
from flows.monitoring import look
from workers.specs.monitoring import StallWatch

LEASE_SECONDS = 9.0
WORKER = """
import sys, time
from pathlib import Path
from workers.reporter import HttpReporter
from workers.specs.events import RunState
url, token, run_id, spool = sys.argv[1:]
reporter = HttpReporter(url, token, run_id, 1, Path(spool))
reporter.state(RunState.RUNNING)
step = 0
while True:
    step += 1
    reporter.metrics(step, {"loss": 1.0 / step})
    reporter.commands()  # raises when this attempt is over
    time.sleep(0.2)
"""

pytestmark = pytest.mark.timeout(240)


class Service:
    """The real service on a port of its own, which can go away and come back."""

    def __init__(self, settings, orchestrator):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        changes = {"dead_after_seconds": LEASE_SECONDS, "reconcile_seconds": 0.3, "port": self.port}
        self.settings, self.orchestrator = settings.model_copy(update=changes), orchestrator
        self.headers = {"Authorization": f"Bearer {settings.admin_token.get_secret_value()}"}

    def start(self):
        app = create_app(self.settings, self.orchestrator)
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.05)

    def stop(self):
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(20)

    def get(self, path):
        return httpx.get(f"{self.url}/api/v1{path}", headers=self.headers, timeout=20).json()

    def launch(self):
        body = {"spec": {"kind": "training", "name": "toy"}}
        return httpx.post(f"{self.url}/api/v1/runs", json=body, headers=self.headers, timeout=20).json()["id"]


@pytest.fixture
def service(settings, orchestrator):
    made = Service(settings, orchestrator)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def worker(service, settings, tmp_path):
    run_id = service.launch()
    token = settings.worker_token.get_secret_value()
    command = [sys.executable, "-c", WORKER, service.url, token, run_id, str(tmp_path / "spool")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait(lambda: service.get(f"/runs/{run_id}")["state"] == "running")
    (flow_run,) = service.orchestrator.flow_runs
    service.orchestrator.set(flow_run, "RUNNING")
    yield run_id, process
    process.kill()
    process.wait(10)


def wait(until, seconds=60):
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def test_the_scheduled_flow_looks_twice_before_it_calls_a_worker_dead(service, worker, settings):
    run_id, process = worker
    api = Api(service.url, settings.worker_token.get_secret_value())
    assert look(api, StallWatch(dead_after_seconds=5, confirm_seconds=0)) == []
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(5.5)  # the reconciler waits for longer
    ((run, finding),) = look(api, StallWatch(dead_after_seconds=5, confirm_seconds=0.1))
    assert (run["id"], finding.detector) == (run_id, "dead_worker")
    threading.Timer(0.2, os.kill, (process.pid, signal.SIGCONT)).start()
    assert look(api, StallWatch(dead_after_seconds=5, confirm_seconds=4)) == [], "it is heard again by then"


def points(service, run_id):
    series = service.get(f"/runs/{run_id}/metrics")
    return next((one for one in series if one["key"] == "loss"), {"num_points": 0, "last_step": 0})


def test_standing_still_and_an_outage_are_no_crash_and_lose_nothing(service, worker):
    run_id, process = worker
    os.kill(process.pid, signal.SIGSTOP)  # half a lease
    time.sleep(LEASE_SECONDS / 2)
    os.kill(process.pid, signal.SIGCONT)
    service.stop()  # more than a lease
    time.sleep(LEASE_SECONDS * 1.25)
    before = time.monotonic()
    service.start()
    wait(lambda: points(service, run_id)["num_points"] > 0)
    while time.monotonic() - before < 3:
        assert service.get(f"/runs/{run_id}")["attempt"] == 1
        time.sleep(0.3)
    found = service.get(f"/runs/{run_id}")
    assert (found["state"], found["attempt"]) == ("running", 1)
    wait(lambda: points(service, run_id)["last_step"] > LEASE_SECONDS)
    series = points(service, run_id)
    assert series["num_points"] == series["last_step"], "each step is there, once"
    assert service.get("/notices")["items"] == []


def test_a_silence_beyond_the_lease_is_a_new_attempt_and_the_old_one_stops_itself(service, worker):
    run_id, process = worker
    os.kill(process.pid, signal.SIGSTOP)
    wait(lambda: service.get(f"/runs/{run_id}")["attempt"] == 2, LEASE_SECONDS * 4)
    (told,) = service.get("/notices")["items"]
    assert told["kind"] == "worker.dead" and "silent" in told["data"]["reason"]
    os.kill(process.pid, signal.SIGCONT)
    process.wait(30)
    assert b"FencedError" in process.stderr.read()
