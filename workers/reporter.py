"""How a worker reports: to the service over HTTP with a local spool, or into memory.

Each batch is written to the spool before it is sent and dropped when the service has it, so that a service that is
down costs nothing: the work goes on, the batches follow later in their order.
"""

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx

from workers.specs.events import (
    Artifact,
    Batch,
    Command,
    Event,
    Finding,
    Intervention,
    Log,
    MetricColumn,
    Reply,
    RunState,
)


class FencedError(RuntimeError):
    """A newer attempt of this run exists, or the run has ended: this process must stop."""


class Reporter(Protocol):
    """What the words of `workers` see. All calls return at once; nothing here waits for the network."""

    takes_commands: bool
    """Can a person answer? Without, a training that would wait for one stops instead."""

    def metrics(self, step: int, values: Mapping[str, float], branch: int = 0) -> None:
        """One point for each series."""
        ...

    def event(self, kind: str, message: str = "", step: int | None = None, **data: Any) -> None:
        """Something happened. See `workers.specs.events.Event.kind`."""
        ...

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
        """How far a stage is. Called as often as one likes: it is thinned here."""
        ...

    def log(self, message: str, level: Literal["debug", "info", "warning", "error"] = "info") -> None:
        """One line of the log."""
        ...

    def finding(self, finding: Finding) -> None:
        """What a detector saw."""
        ...

    def intervention(self, intervention: Intervention) -> None:
        """What was done, or how an earlier one ended (same id)."""
        ...

    def artifact(self, artifact: Artifact) -> None:
        """An artifact of this run is in the store. A checkpoint is real once the service has this."""
        ...

    def commands(self) -> list[Command]:
        """Commands not handed out before. Raises FencedError when this attempt is over."""
        ...

    def ack(self, command_id: str) -> None:
        """The command was carried out."""
        ...

    def state(self, state: RunState, error: str | None = None) -> None:
        """The run's state as this source sees it."""
        ...

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until the service has everything. Raises TimeoutError or FencedError."""
        ...


class _Collector:
    """Gathers into a batch; shared by both reporters. Safe for several threads."""

    def __init__(self, attempt: int, source: str) -> None:
        self._lock = threading.Lock()
        self._attempt, self._source = attempt, source
        self._columns: dict[tuple[str, int], MetricColumn] = {}
        self._lists: dict[str, list[Any]] = {}
        self._state: RunState | None = None
        self._error: str | None = None
        self._progressed: dict[str, float] = {}

    def metrics(self, step: int, values: Mapping[str, float], branch: int = 0) -> None:
        moment = time.time()
        with self._lock:
            for key, value in values.items():
                column = self._columns.setdefault(
                    (key, branch), MetricColumn(key=key, branch=branch, steps=[], values=[], times=[])
                )
                column.steps.append(step)
                column.values.append(float(value))
                column.times.append(moment)

    def event(self, kind: str, message: str = "", step: int | None = None, **data: Any) -> None:
        self._add("events", Event(kind=kind, message=message, step=step, data=data))

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
        moment = time.monotonic()
        if done < total and moment - self._progressed.get(stage, 0.0) < 0.5:
            return
        self._progressed[stage] = moment
        self.event("progress", stage=stage, done=done, total=total, unit=unit)

    def log(self, message: str, level: Literal["debug", "info", "warning", "error"] = "info") -> None:
        self._add("logs", Log(level=level, message=message[:20_000]))

    def finding(self, finding: Finding) -> None:
        self._add("findings", finding)

    def intervention(self, intervention: Intervention) -> None:
        self._add("interventions", intervention.model_copy(deep=True))

    def artifact(self, artifact: Artifact) -> None:
        self._add("artifacts", artifact)

    def ack(self, command_id: str) -> None:
        self._add("acks", command_id)

    def state(self, state: RunState, error: str | None = None) -> None:
        """The run's state as this source sees it."""
        with self._lock:
            self._state, self._error = state, error

    def _add(self, name: str, item: Any) -> None:
        with self._lock:
            self._lists.setdefault(name, []).append(item)

    def _take(self, seq: int) -> Batch | None:
        with self._lock:
            if not (self._columns or self._lists or self._state):
                return None
            batch = Batch(
                attempt=self._attempt,
                source=self._source,
                seq=seq,
                state=self._state,
                error=self._error,
                metrics=list(self._columns.values()),
                **self._lists,
            )
            self._columns, self._lists, self._state, self._error = {}, {}, None, None
            return batch


class MemoryReporter(_Collector):
    """Keeps everything in lists: for `python -m workers...` without a service, and for tests."""

    takes_commands = False

    def __init__(self, echo: bool = False) -> None:
        super().__init__(attempt=1, source="worker")
        self.batch = Batch(attempt=1, source="worker", seq=0)
        self.pending: list[Command] = []
        self.echo = echo

    def log(self, message: str, level: Literal["debug", "info", "warning", "error"] = "info") -> None:
        super().log(message, level)
        if self.echo:
            print(f"{level}: {message}", flush=True)

    def commands(self) -> list[Command]:
        taken, self.pending = self.pending, []
        return taken

    def flush(self, timeout_seconds: float = 60.0) -> None:
        taken = self._take(0)
        if taken is None:
            return
        for name in ("metrics", "events", "logs", "findings", "interventions", "artifacts", "acks"):
            getattr(self.batch, name).extend(getattr(taken, name))

    def series(self, key: str) -> list[tuple[int, float]]:
        """All points of one series, in the order in which they came."""
        self.flush()
        return [p for c in self.batch.metrics if c.key == key for p in zip(c.steps, c.values, strict=True)]


class HttpReporter(_Collector):
    """Sends a batch about once a second from a thread of its own; the call is also the heartbeat."""

    takes_commands = True

    def __init__(
        self,
        api_url: str,
        token: str,
        run_id: str,
        attempt: int,
        spool: Path,
        source: str = "worker",
        interval_seconds: float = 1.0,
    ) -> None:
        super().__init__(attempt, source)
        self._url = f"{api_url.rstrip('/')}/api/v1/ingest/runs/{run_id}"
        self._client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(30, connect=5))
        self._spool = spool / run_id / f"{attempt}-{source}"
        self._spool.mkdir(parents=True, exist_ok=True)
        self._seq = self._next_seq()
        self._interval = interval_seconds
        self._commands: list[Command] = []
        self._handed_out: set[str] = set()
        self._fenced: str | None = None
        self._wake, self._stop = threading.Event(), threading.Event()
        self._idle = threading.Condition()
        # Held while a batch moves into the spool: in between it is neither collected nor spooled, but not sent either.
        self._moving = threading.Lock()
        self._unspooled: Batch | None = None
        """Taken, but the disk has not accepted it yet: it is full, say."""
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def state(self, state: RunState, error: str | None = None) -> None:
        """The run's state as this source sees it; people wait for it, so it does not wait for its second."""
        super().state(state, error)
        self._wake.set()

    def commands(self) -> list[Command]:
        if self._fenced:
            raise FencedError(self._fenced)
        with self._lock:
            taken, self._commands = self._commands, []
        return taken

    def flush(self, timeout_seconds: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_seconds
        while True:
            self._wake.set()
            with self._idle:
                self._idle.wait(0.05)
            if self._fenced:
                raise FencedError(self._fenced)
            if not self._pending():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the service at {self._url} did not take all reports in {timeout_seconds:.0f} s")

    def close(self, timeout_seconds: float = 60.0) -> None:
        """Flush, then end the thread."""
        try:
            self.flush(timeout_seconds)
        finally:
            self._stop.set()
            self._wake.set()
            self._thread.join(5)

    def _pending(self) -> bool:
        with self._moving:
            with self._lock:
                waiting = bool(self._columns or self._lists or self._state)
            return waiting or self._unspooled is not None or any(self._spool.glob("*.json"))

    def _next_seq(self) -> int:
        # The counter outlives the spool: a drained spool must not make the service take new batches for old ones.
        try:
            return int((self._spool / "seq").read_text()) + 1
        except (FileNotFoundError, ValueError):
            return 0

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._wake.wait(self._interval if not failures else min(self._interval * 2**failures, 15.0))
            self._wake.clear()
            try:
                self._spool_batch()
                self._send_all()
                failures = 0
            except (httpx.HTTPError, OSError):
                failures = min(failures + 1, 5)
            with self._idle:
                self._idle.notify_all()

    def _spool_batch(self) -> None:
        with self._moving:
            self._unspooled = self._unspooled or self._take(self._seq)
            if self._unspooled is None:
                return
            # The counter first: killed in between, the next process leaves a gap rather than overwrite a batch.
            _write(self._spool / "seq", str(self._seq))
            _write(self._spool / f"{self._seq:010d}.json", self._unspooled.model_dump_json())
            self._unspooled = None
            self._seq += 1

    def _send_all(self) -> None:
        waiting = sorted(self._spool.glob("*.json"))
        if not waiting:  # the heartbeat: an empty batch, outside the counted sequence
            self._send(Batch(attempt=self._attempt, source=f"{self._source}.heartbeat", seq=0).model_dump_json())
        for path in waiting:
            self._send(path.read_text(encoding="utf-8"))
            path.unlink()
            if self._fenced:
                return

    def _send(self, body: str) -> None:
        response = self._client.post(self._url, content=body, headers={"Content-Type": "application/json"})
        if response.status_code == httpx.codes.CONFLICT:
            self._fenced = _detail(response)
            return
        if response.status_code in {400, 413, 422}:
            # Sending it again cannot help; keep it where a person can find it, and go on.
            (self._spool / f"refused-{time.time_ns()}").write_text(f"{_detail(response)}\n{body}", encoding="utf-8")
            return
        response.raise_for_status()
        reply = Reply.model_validate_json(response.content)
        with self._lock:
            fresh = [c for c in reply.commands if c.id not in self._handed_out]
            self._handed_out.update(c.id for c in fresh)
            self._commands.extend(fresh)


def _write(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail", response.text))
    except (json.JSONDecodeError, AttributeError):
        return response.text
