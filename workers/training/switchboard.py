"""The parent's end of the relay: hands the ranks' messages to its reporter, and its commands to rank 0."""

import socket
import threading
from pathlib import Path
from typing import Any

from workers.reporter import FencedError, Reporter
from workers.specs.events import Artifact, Command, Finding, Intervention, RunState
from workers.training.publisher import Publish
from workers.training.relay import Line

METHODS = frozenset({"metrics", "event", "progress", "log", "ack"})


class Switchboard:
    """Listens on a Unix socket for the ranks of one training."""

    def __init__(self, address: Path, reporter: Reporter, publish: Publish | None) -> None:
        self._reporter, self._publish = reporter, publish
        self.result: dict[str, Any] | None = None
        self.failure: dict[str, Any] | None = None
        """The first failure that a rank told."""
        self._lines: list[Line] = []
        self._undelivered: list[Command] = []
        self._threads: list[threading.Thread] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(address))
        self._socket.listen()
        threading.Thread(target=self._accept, name="switchboard", daemon=True).start()

    def pass_commands(self) -> None:
        """Send on what people ask; it waits until rank 0 is there. Raises FencedError when this attempt is over."""
        self._undelivered += self._reporter.commands()
        if not self._lines:
            return
        commands, self._undelivered = self._undelivered, []
        for command in commands:
            for line in list(self._lines):
                try:
                    line.send(command=command.model_dump(mode="json"))
                except OSError:
                    self._lines.remove(line)

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Take in what was still on its way, then hang up."""
        for thread in list(self._threads):
            thread.join(timeout_seconds)
        self._socket.close()
        for line in self._lines:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            line = Line(connection)
            thread = threading.Thread(target=self._serve, args=(line,), name="switchboard-line", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, line: Line) -> None:
        while message := line.receive():
            if "hello" in message:
                # Rank 0 is there, perhaps anew: what made it start again is over.
                self._lines, self.failure = [line], None
            elif "publish" in message:
                threading.Thread(target=self._publish_for, args=(line, message["publish"]), daemon=True).start()
            else:
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("call") == "state":
            self._reporter.state(RunState(message["arguments"]["state"]), message["arguments"]["error"])
        elif message.get("call") in METHODS:
            getattr(self._reporter, message["call"])(**message["arguments"])
        elif "finding" in message:
            self._reporter.finding(Finding.model_validate(message["finding"]))
        elif "intervention" in message:
            self._reporter.intervention(Intervention.model_validate(message["intervention"]))
        elif "artifact" in message:
            self._reporter.artifact(Artifact.model_validate(message["artifact"]))
        elif "result" in message:
            self.result = message["result"]
        elif "failure" in message:
            self.failure = self.failure or message["failure"]

    def _publish_for(self, line: Line, request: dict[str, Any]) -> None:
        error = ""
        try:
            if self._publish:
                self._publish(Path(request["folder"]), request["step"])
        except FencedError as fenced:
            error = str(fenced)
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        try:
            line.send(published=error)
        except OSError:
            self._reporter.log("a checkpoint was published after its training had ended", "warning")
