"""The HTTP reporter against a real HTTP server: order, spool, repeats, fencing, commands."""

import errno
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import workers.reporter
from workers.reporter import FencedError, HttpReporter
from workers.specs.events import Batch, RunState


class Service(ThreadingHTTPServer):
    """Takes batches; `status` is what it answers."""

    status = 200
    commands: list[dict[str, object]] = []

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.batches: list[Batch] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def counted(self) -> list[Batch]:
        """Batches but heartbeats."""
        return [batch for batch in self.batches if not batch.source.endswith(".heartbeat")]


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"commands": self.server.commands} if self.server.status == 200 else {"detail": "a newer attempt runs"}
        if self.server.status == 200:
            self.server.batches.append(Batch.model_validate_json(body))
        content = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.shutdown()
    running.server_close()


def reporter(url: str, spool: Path) -> HttpReporter:
    return HttpReporter(url, "hr_token", "run", 1, spool, interval_seconds=0.02)


def test_a_state_does_not_wait_for_its_turn(service: Service, tmp_path: Path) -> None:
    sender = HttpReporter(service.url, "hr_token", "run", 1, tmp_path, interval_seconds=600)
    time.sleep(0.2)  # its thread waits
    sender.state(RunState.RUNNING)
    deadline = time.monotonic() + 20
    while not service.counted and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [batch.state for batch in service.counted] == [RunState.RUNNING]
    sender.close(10)


def test_what_is_reported_arrives_once_and_in_order(service: Service, tmp_path: Path) -> None:
    sender = reporter(service.url, tmp_path)
    for step in range(50):
        sender.metrics(step, {"loss": float("nan") if step == 7 else step})
        if step % 10 == 0:
            sender.flush(10)
    sender.state(RunState.COMPLETED)
    sender.close(10)
    columns = [column for batch in service.counted for column in batch.metrics]
    assert [step for column in columns for step in column.steps] == list(range(50))
    assert [batch.seq for batch in service.counted] == list(range(len(service.counted)))
    assert service.counted[-1].state == RunState.COMPLETED
    assert not list(tmp_path.rglob("*.json"))


def test_a_service_that_is_away_costs_nothing(service: Service, tmp_path: Path) -> None:
    service.status = 503
    sender = reporter(service.url, tmp_path)
    sender.log("while away")
    with pytest.raises(TimeoutError):
        sender.flush(0.5)
    service.status = 200
    sender.close(30)
    assert [log.message for batch in service.counted for log in batch.logs] == ["while away"]


def test_what_a_killed_process_left_is_sent_by_the_next(service: Service, tmp_path: Path) -> None:
    service.status = 503
    first = reporter(service.url, tmp_path)
    first.log("left behind")
    with pytest.raises(TimeoutError):
        first.flush(0.5)
    first._stop.set()
    service.status = 200
    second = reporter(service.url, tmp_path)
    second.log("after")
    second.close(10)
    assert [log.message for batch in service.counted for log in batch.logs] == ["left behind", "after"]
    assert len({batch.seq for batch in service.counted}) == 2


def test_a_full_disk_loses_no_batch(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [OSError(errno.ENOSPC, "no space left"), OSError(errno.ENOSPC, "no space left")]
    write = workers.reporter._write

    def sometimes(path: Path, text: str) -> None:
        if path.suffix == ".json" and failures:
            raise failures.pop()
        write(path, text)

    monkeypatch.setattr(workers.reporter, "_write", sometimes)
    sender = reporter(service.url, tmp_path)
    sender.log("kept")
    sender.close(20)
    assert failures == []
    assert [log.message for batch in service.counted for log in batch.logs] == ["kept"]


def test_killed_between_counter_and_batch_nothing_is_overwritten(service: Service, tmp_path: Path) -> None:
    service.status = 503
    first = reporter(service.url, tmp_path)
    first.log("spooled")
    with pytest.raises(TimeoutError):
        first.flush(0.3)
    first._stop.set()
    first._thread.join()
    (tmp_path / "run" / "1-worker" / "seq").write_text("1")  # batch 1 was counted, then the process was killed
    service.status = 200
    second = reporter(service.url, tmp_path)
    second.log("after")
    second.close(10)
    assert [(batch.seq, batch.logs[0].message) for batch in service.counted] == [(0, "spooled"), (2, "after")]


def test_an_older_attempt_is_stopped(service: Service, tmp_path: Path) -> None:
    service.status = 409
    sender = reporter(service.url, tmp_path)
    sender.log("too late")
    with pytest.raises(FencedError, match="newer attempt"):
        sender.flush(10)
    with pytest.raises(FencedError):
        sender.commands()


def test_a_command_is_handed_out_once_and_acknowledged(service: Service, tmp_path: Path) -> None:
    service.commands = [{"id": "c1", "kind": "checkpoint"}]
    sender = reporter(service.url, tmp_path)
    sender.log("hello")
    sender.flush(10)
    assert [command.kind for command in sender.commands()] == ["checkpoint"]
    sender.ack("c1")
    sender.close(10)
    assert sender.commands() == []
    assert ["c1"] in [batch.acks for batch in service.counted]
