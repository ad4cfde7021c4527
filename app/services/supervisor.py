"""Keeps the parts of the embedded stack alive: start in order, watch, restart with backoff, stop in reverse.

One thread and one loop, so that PR_SET_PDEATHSIG works and no child is ever waited for twice. It is the subreaper of
all that its parts start: what a dead part leaves behind comes here, is ended and reaped.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from app.services.children import adopt_orphans, end_orphans, ending_with_parent
from app.services.parts import Part
from app.services.stack_file import PartPhase, PartState, StackState

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_CHECK_EVERY_SECONDS = 5.0
_START_SECONDS = 180.0
_HUNG_SECONDS = 180.0
_BACKOFF_SECONDS = (0.5, 1, 2, 5, 10, 30)
_GIVE_UP_STARTS = 3
_SWEEP_SECONDS = 1.0
_LOG_BYTES = 10_000_000


@dataclass
class _Running:
    """A part with its process, if any."""

    part: Part
    state: PartState
    process: subprocess.Popen[bytes] | None = None
    next_check: float = 0.0
    next_start: float = 0.0
    last_healthy: float = 0.0
    finished: bool = False
    failed_starts: int = 0


class Supervisor:
    """Runs until `stop` is called (from a signal handler, say) or a part fails for good at its first start."""

    def __init__(self, home: Path, parts: list[Part], state: StackState) -> None:
        self.home, self.state = home, state
        self.logs = home / "logs"
        self.running = {part.name: _Running(part, PartState(url=part.url)) for part in parts}
        state.parts = {name: running.state for name, running in self.running.items()}
        self._stopping = False
        self._dirty = True
        self._next_sweep = 0.0

    def stop(self) -> None:
        """Ask the loop to stop everything and return."""
        self._stopping = True

    def run(self) -> None:
        """Start everything and watch it. Returns after an orderly stop; `state.error` says why, if not asked to."""
        adopt_orphans()
        self.logs.mkdir(parents=True, exist_ok=True)
        while not self._stopping:
            self._reap()
            for running in self.running.values():
                self._advance(running)
            self._save()
            time.sleep(_TICK_SECONDS)
        self._stop_all()

    def _advance(self, running: _Running) -> None:
        now = time.monotonic()
        phase = running.state.phase
        if phase in {"waiting", "restarting"}:
            if now >= running.next_start and self._may_start(running.part):
                self._start(running)
        elif phase in {"starting", "healthy", "unhealthy"} and now >= running.next_check:
            self._examine(running)

    def _may_start(self, part: Part) -> bool:
        return all(self.running[name].finished for name in part.after if name in self.running)

    def _start(self, running: _Running) -> None:
        part = running.part
        path = self.logs / f"{part.name}.log"
        try:
            if part.prepare:
                part.prepare()
            with path.open("ab") as output:
                running.process = subprocess.Popen(
                    part.command,
                    env=part.environment,
                    cwd=self.home,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    preexec_fn=ending_with_parent(part.stop_signal),  # noqa: PLW1509  one thread
                )
        except Exception as error:
            self._fail(running, str(error))
            return
        running.last_healthy = time.monotonic()
        running.next_check = running.last_healthy + 0.2
        self._enter(running, "starting", pid=running.process.pid)

    def _examine(self, running: _Running) -> None:
        if running.process is None or running.part.once:
            return
        trouble = running.part.check(running.process.pid)
        now = time.monotonic()
        starting = running.state.phase == "starting"
        running.next_check = now + (0.2 if starting else _CHECK_EVERY_SECONDS)
        if trouble is None:
            running.last_healthy = now
            self._healthy(running)
        elif now - running.last_healthy > (_START_SECONDS if starting else _HUNG_SECONDS):
            log.warning("%s does not answer, it is killed: %s", running.part.name, trouble)
            self._kill(running)
        elif not starting:
            self._enter(running, "unhealthy", detail=trouble)
        else:
            running.state.detail = trouble

    def _healthy(self, running: _Running) -> None:
        if running.state.phase == "healthy":
            return
        running.finished, running.failed_starts = True, 0
        self._enter(running, "healthy", detail="")

    def _reap(self) -> None:
        """Wait for whatever ended: our parts, and orphans that came to us."""
        pids = {running.process.pid: running for running in self.running.values() if running.process}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            running = pids.get(pid)
            if running and running.process:
                running.process.returncode = os.waitstatus_to_exitcode(status)
                self._ended(running, running.process.returncode)
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + _SWEEP_SECONDS
            end_orphans(keep={r.process.pid for r in self.running.values() if r.process})

    def _ended(self, running: _Running, code: int) -> None:
        running.process = None
        if running.part.once and code == 0:
            running.finished = True
            self._enter(running, "done", pid=None, detail="")
            return
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        reason = f"{how}; see {self.logs / running.part.name}.log"
        if not self._stopping:
            log.warning("%s %s", running.part.name, reason)
            self._fail(running, reason)

    def _fail(self, running: _Running, reason: str) -> None:
        running.process = None
        running.failed_starts += 1
        if not running.finished and running.failed_starts >= _GIVE_UP_STARTS:
            self._give_up(running, reason)
            return
        delay = _BACKOFF_SECONDS[min(running.failed_starts, len(_BACKOFF_SECONDS)) - 1]
        running.next_start = time.monotonic() + delay
        running.state.restarts += 1
        self._enter(running, "restarting", pid=None, detail=reason)

    def _give_up(self, running: _Running, reason: str) -> None:
        self._enter(running, "failed", pid=None, detail=reason)
        self.state.error = f"{running.part.name} does not start: {reason}{tail(self.logs / f'{running.part.name}.log')}"
        self._stopping = True

    def _enter(self, running: _Running, phase: PartPhase, **changes: object) -> None:
        for name, value in changes.items():
            setattr(running.state, name, value)
        if running.state.phase != phase:
            log.info("%s: %s %s", running.part.name, phase, running.state.detail)
            running.state.phase, running.state.since = phase, time.time()
        self._dirty = True

    def _save(self) -> None:
        if self._dirty:
            with contextlib.suppress(OSError):  # a full disk must not end what still runs
                self.state.write(self.home)
                self._dirty = False
        for path in self.logs.glob("*.log"):
            rotate(path)

    def _kill(self, running: _Running) -> None:
        if running.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.process.pid, signal.SIGKILL)

    def _stop_all(self) -> None:
        """Those that nothing else waits for go first; Postgres is last."""
        order = list(self.running.values())
        while order:
            needed = {name for running in order for name in running.part.after}
            layer = [running for running in order if running.part.name not in needed] or order
            self._stop_layer(layer)
            order = [running for running in order if running not in layer]
        deadline = time.monotonic() + 10
        while end_orphans(keep=set(), grace_seconds=2) and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.1)
        self._save()

    def _stop_layer(self, layer: list[_Running]) -> None:
        for running in layer:
            if running.process:
                with contextlib.suppress(ProcessLookupError):
                    running.process.send_signal(running.part.stop_signal)
        deadlines = {id(running): time.monotonic() + running.part.stop_seconds for running in layer}
        while any(running.process for running in layer):
            self._reap()
            for running in layer:
                if running.process and time.monotonic() > deadlines[id(running)]:
                    log.warning("%s does not stop, it is killed", running.part.name)
                    self._kill(running)
            time.sleep(0.05)
        for running in layer:
            if running.state.phase not in {"failed", "done"}:
                self._enter(running, "stopped", pid=None)
        self._save()


def tail(path: Path, num_lines: int = 8) -> str:
    """The last lines of a log, indented, for a message; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()[-num_lines:]
    except OSError:
        return ""
    return "".join(f"\n  {line}" for line in lines if line.strip())


def rotate(path: Path, limit_bytes: int = _LOG_BYTES) -> None:
    """Copy a log beyond its limit to `NAME.1` and empty it; its writer appends, so it goes on at the start."""
    try:
        if path.stat().st_size <= limit_bytes:
            return
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)
    except OSError as error:
        log.warning("%s cannot be rotated: %s", path, error)
