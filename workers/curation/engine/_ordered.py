"""What engines share: order, a bound on what is under way, and blame for a crash on the one item that caused it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH_SECONDS = 900.0
_ITEM_SECONDS = 180.0
_MAX_LOSSES = 60
"""Losses without a result between them; a batch whose items all crash needs two an item."""


class EngineError(RuntimeError):
    """The engine of the spec cannot be had; the message says what to do."""


class WorkersEndError(RuntimeError):
    """Workers keep ending, so that it is not one document's fault."""


class LostError(Exception):
    """A worker ended, or took too long, before it gave its result."""


class SharedFile(Protocol):
    """A file that was shared with workers."""

    def path(self) -> Path:
        """Where it lies on the worker's machine."""
        ...


class Workers(Protocol):
    """What an engine brings: a place to run a function over one batch."""

    num_underway: int
    """Batches that keep all workers busy."""

    def submit(self, function: Callable[[list[Any]], Any], batch: list[Any]) -> Any:
        """Start it; returns a handle."""
        ...

    def result(self, handle: Any, timeout_seconds: float) -> Any:
        """Wait for it. Raises LostError, and whatever the function raised."""
        ...

    def replace(self) -> None:
        """Make good for workers that ended. Raises WorkersEndError when new ones don't even start."""
        ...

    def is_lost(self, handle: Any) -> bool:
        """Did the last `replace` end this batch as well?"""
        ...


class OrderedMap:
    """`map` over workers; one at a time."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self._losses = 0

    def map(
        self, function: Callable[[list[T]], R], batches: Iterable[list[T]], on_crash: Callable[[T], T]
    ) -> Iterator[R]:
        """See `workers.curation.engine.Engine.map`."""
        waiting: deque[tuple[list[T], Any]] = deque()
        for batch in batches:
            waiting.append((batch, self.workers.submit(function, batch)))
            if len(waiting) > self.workers.num_underway:
                yield self._next(function, waiting, on_crash)
        while waiting:
            yield self._next(function, waiting, on_crash)

    def _next(
        self, function: Callable[[list[T]], R], waiting: deque[tuple[list[T], Any]], on_crash: Callable[[T], T]
    ) -> R:
        batch, handle = waiting.popleft()
        try:
            return self._result(handle, BATCH_SECONDS)
        except LostError:
            result = self._suspect(function, batch, on_crash)
        others = list(waiting)
        waiting.clear()
        for other, its_handle in others:
            lost = self.workers.is_lost(its_handle)
            waiting.append((other, self.workers.submit(function, other) if lost else its_handle))
        return result

    def _suspect(self, function: Callable[[list[T]], R], batch: list[T], on_crash: Callable[[T], T]) -> R:
        """Run a batch whose worker ended, with nothing else that could be to blame."""
        for attempt in range(3):
            try:
                return self._result(self.workers.submit(function, batch), BATCH_SECONDS)
            except LostError:
                if not attempt:
                    batch = [on_crash(item) if self._is_guilty(function, item) else item for item in batch]
        raise WorkersEndError(
            f"a batch of {len(batch)} documents ends its worker process each time, though none of them does so alone: "
            "the machine may be out of memory: lower num_processes or limits.max_document_bytes"
        )

    def _is_guilty(self, function: Callable[[list[T]], R], item: T) -> bool:
        """Twice: a process may also have been killed from outside."""
        for _ in range(2):
            try:
                self._result(self.workers.submit(function, [item]), _ITEM_SECONDS)
            except LostError:
                continue
            return False
        return True

    def _result(self, handle: Any, timeout_seconds: float) -> Any:
        try:
            found = self.workers.result(handle, timeout_seconds)
        except LostError:
            self._losses += 1
            if self._losses > _MAX_LOSSES:
                raise WorkersEndError(
                    f"worker processes ended {self._losses} times in a row: look above for their error; if there is "
                    "none, the machine may be out of memory: lower num_processes or limits.max_document_bytes"
                ) from None
            self.workers.replace()
            raise
        self._losses = 0
        return found
