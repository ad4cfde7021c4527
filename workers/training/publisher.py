"""Publishing checkpoints beside the training: one thread, a short queue."""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from workers.reporter import Reporter
from workers.training.errors import CheckpointError

Publish = Callable[[Path, int], None]
MAX_WAITING = 2


class Publisher:
    """Calls `publish(folder, step)` for checkpoints in their order.

    When more than two wait, the oldest waiting one is given up: what counts is that the newest arrives.
    """

    def __init__(self, publish: Publish | None, reporter: Reporter) -> None:
        self._reporter = reporter
        self._waiting: deque[tuple[Path, int]] = deque()
        self._busy: Path | None = None
        self._error: Exception | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        if publish:
            self._thread = threading.Thread(target=self._run, args=(publish,), name="publisher", daemon=True)
            self._thread.start()

    def add(self, folder: Path, step: int) -> None:
        """Queue a checkpoint; returns at once."""
        if not self._thread:
            return
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                given_up, at = self._waiting.popleft()
                self._reporter.log(f"uploads lag behind: checkpoint {given_up.name} (step {at}) is kept here only")
            self._waiting.append((folder, step))
            self._changed.notify_all()

    def in_use(self) -> set[Path]:
        """Folders that must stay: waiting, or on their way."""
        with self._changed:
            return {folder for folder, _ in self._waiting} | ({self._busy} if self._busy else set())

    def close(self) -> None:
        """Wait until all are published. Raises CheckpointError when the newest one could not be."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
        if self._error:
            raise CheckpointError(f"the last checkpoint could not be published: {self._error}") from self._error

    def abandon(self, timeout_seconds: float = 60.0) -> None:
        """Training has failed: give what waits a little time, and never hide the failure behind another."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout_seconds)

    def _run(self, publish: Publish) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                self._busy, step = self._waiting.popleft()
                folder = self._busy
            try:
                publish(folder, step)
                self._error = None
            except Exception as error:
                self._error = error
                self._reporter.log(f"checkpoint {folder.name} (step {step}) was not published: {error}", "warning")
            finally:
                with self._changed:
                    self._busy = None
