"""Reports of rank 0 to the process that started the ranks, and commands back: JSON lines on a Unix socket.

The starting process alone knows the service; it hands each message to its own reporter.
"""

import json
import queue
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from workers.reporter import FencedError
from workers.specs.events import Artifact, Command, Finding, Intervention, RunState

CONNECT_SECONDS = 30.0
PUBLISH_SECONDS = 3600.0


class Line:
    """One end of the socket: whole JSON messages, safe for several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("r", encoding="utf-8")
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Raises OSError when the other end is gone."""
        with self._lock:
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other end is gone."""
        try:
            text = self._reader.readline()
            return json.loads(text) if text.endswith("\n") else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class RelayReporter:
    """`Reporter` of rank 0."""

    def __init__(self, address: Path, takes_commands: bool = True) -> None:
        self.takes_commands = takes_commands
        self._line = connect(address)
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._published: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._over: str | None = None
        self._line.send(hello=True)
        threading.Thread(target=self._listen, name="relay", daemon=True).start()

    def metrics(self, step: int, values: Mapping[str, float], branch: int = 0) -> None:
        self._call("metrics", step=step, values=dict(values), branch=branch)

    def event(self, kind: str, message: str = "", step: int | None = None, **data: Any) -> None:
        self._call("event", kind=kind, message=message, step=step, **data)

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
        self._call("progress", stage=stage, done=done, total=total, unit=unit)

    def log(self, message: str, level: Literal["debug", "info", "warning", "error"] = "info") -> None:
        self._call("log", message=message, level=level)

    def finding(self, finding: Finding) -> None:
        self._line.send(finding=finding.model_dump(mode="json"))

    def intervention(self, intervention: Intervention) -> None:
        self._line.send(intervention=intervention.model_dump(mode="json"))

    def artifact(self, artifact: Artifact) -> None:
        self._line.send(artifact=artifact.model_dump(mode="json"))

    def ack(self, command_id: str) -> None:
        self._call("ack", command_id=command_id)

    def state(self, state: RunState, error: str | None = None) -> None:
        self._call("state", state=state.value, error=error)

    def commands(self) -> list[Command]:
        if self._over:
            raise FencedError(self._over)
        taken = []
        while not self._commands.empty():
            taken.append(self._commands.get())
        return taken

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Nothing waits here: what was said has been sent."""

    def publish(self, folder: Path, step: int) -> None:
        """Have the parent publish a checkpoint, and wait for it. Raises RuntimeError with its reason."""
        self._line.send(publish={"folder": str(folder), "step": step})
        if error := self._published.get(timeout=PUBLISH_SECONDS):
            raise RuntimeError(error)

    def _call(self, method: str, /, **arguments: Any) -> None:
        self._line.send(call=method, arguments=arguments)

    def _listen(self) -> None:
        while message := self._line.receive():
            if "command" in message:
                self._commands.put(Command.model_validate(message["command"]))
            if "published" in message:
                self._published.put(message["published"] or None)
        self._over = "the process that started this training is gone"
        self._published.put(self._over)


def connect(address: Path) -> Line:
    """The line to the parent. Raises OSError when nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_SECONDS)
    connection.connect(str(address))
    connection.settimeout(None)
    return Line(connection)


def tell(address: Path, **message: Any) -> None:
    """Send one message on a line of its own: how a rank says how it ended."""
    line = connect(address)
    line.send(**message)
    line.close()
