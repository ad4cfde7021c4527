"""The live stream: one LISTEN connection to Postgres, fanned out to the subscribers of this process.

Events come from the table, in the order of their ids. Ids are handed out before their transaction commits, so that a
higher id can be seen before a lower one; the hub therefore passes a gap only when every transaction that could still
fill it has ended. So the id that a client has seen is enough to resume from without loss.
https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import CHANNEL, Database
from app.queries import stream

TYPES = frozenset({"run", "metrics", "event", "intervention", "finding"})
LISTENER = "headrace listener"
"""Name of its connection in `pg_stat_activity`."""
_MAX_PENDING = 2000
_PAGE = 500
_POLL_SECONDS = 2.0
_GAP_SECONDS = 10.0
_LATEST_ONLY = frozenset({"run", "metrics"})
_log = structlog.get_logger()

Message = dict[str, Any]


class SlowSubscriberError(RuntimeError):
    """The client reads more slowly than messages come: it is cut, and resumes by its last id."""


@dataclass(eq=False)
class Subscriber:
    """One open stream: what it wants, and what waits for it (bounded)."""

    run_ids: frozenset[str]
    """Empty: all runs."""
    types: frozenset[str]
    projects: frozenset[str] | None = None
    """None: all projects."""
    _pending: deque[Message] = field(default_factory=deque)
    _latest: dict[tuple[str, str], Message] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _slow: bool = False

    def wants(self, message: Message) -> bool:
        """Is the message for this stream?"""
        if self.projects is not None and message.get("project") not in self.projects:
            return False
        return message["type"] in self.types and (not self.run_ids or message.get("run_id") in self.run_ids)

    def offer(self, message: Message) -> None:
        """Queue it. "This has changed" notes that still wait are merged into one a run."""
        key = (message["type"], str(message.get("run_id")))
        if message["type"] in _LATEST_ONLY and key in self._latest:
            _merge(self._latest[key], message)
        elif len(self._pending) >= _MAX_PENDING:
            self._slow = True
        else:
            message = dict(message)
            self._pending.append(message)
            if message["type"] in _LATEST_ONLY:
                self._latest[key] = message
        self._wake.set()

    async def take(self) -> Message:
        """The next message. Raises SlowSubscriberError when the buffer ran over."""
        while not self._pending:
            if self._slow:
                raise SlowSubscriberError
            self._wake.clear()
            await self._wake.wait()
        message = self._pending.popleft()
        self._latest.pop((message["type"], str(message.get("run_id"))), None)
        return message


def _merge(waiting: Message, message: Message) -> None:
    keys = [*waiting.get("keys", []), *message.get("keys", [])]
    waiting.update(message)
    if keys:
        waiting["keys"] = list(dict.fromkeys(keys))


class LiveHub:
    """Listens while the service lives; `subscribe` opens a stream."""

    def __init__(self, dsn: str, database: Database) -> None:
        self._dsn, self._sessions = dsn, database.begin
        self._subscribers: set[Subscriber] = set()
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._gap: tuple[int, int, float] | None = None
        self._position: int | None = None

    @property
    def position(self) -> int | None:
        """Id up to which all events were handed out; None before the first look at the table."""
        return self._position

    @property
    def num_subscribers(self) -> int:
        """Streams that are open."""
        return len(self._subscribers)

    async def start(self) -> None:
        """Begin to listen. A database that is away is tried again until it is there."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._read())]

    async def stop(self) -> None:
        """End the tasks."""
        await end_tasks(self._tasks)

    @contextlib.asynccontextmanager
    async def subscribe(
        self, run_ids: frozenset[str], types: frozenset[str], projects: frozenset[str] | None = None
    ) -> AsyncIterator[tuple[Subscriber, int]]:
        """A subscriber, and the id after which its messages begin. Raises TimeoutError with no database."""
        deadline = time.monotonic() + _GAP_SECONDS + 2
        while self._position is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the event stream is not ready: the database does not answer")
            await asyncio.sleep(0.02)
        subscriber = Subscriber(run_ids, types, projects)
        self._subscribers.add(subscriber)  # with no await in between: position and queue fit without a hole
        try:
            yield subscriber, self._position
        finally:
            self._subscribers.discard(subscriber)

    def publish(self, message: Message) -> None:
        """Hand a message to those who want it."""
        for subscriber in self._subscribers:
            if subscriber.wants(message):
                subscriber.offer(message)

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return
        self._changed.set()
        if isinstance(message, dict) and message.get("type") in TYPES - {"event"}:
            self.publish(message)

    async def _listen(self) -> None:
        delay = 0.2
        while True:
            connection: Any = None
            try:
                connection = await asyncpg.connect(
                    self._dsn, timeout=5, command_timeout=10, server_settings={"application_name": LISTENER}
                )
                await connection.add_listener(CHANNEL, self._notified)
                self._changed.set()  # what came while nobody listened
                delay = 0.2
                while not connection.is_closed():
                    await asyncio.sleep(5)
                    await connection.execute("SELECT 1")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _log.warning("listen_interrupted", error=type(error).__name__, retry_seconds=delay)
            finally:
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(delay)
            delay = min(delay * 2, 10.0)

    async def _read(self) -> None:
        while True:
            try:
                while await self._read_page():
                    pass
                wait = 0.1 if self._gap else _POLL_SECONDS
            except (OSError, SQLAlchemyError, TimeoutError) as error:
                _log.warning("event_read_failed", error=type(error).__name__)
                wait = 1.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):  # wait_for may swallow a cancellation in Python 3.11
                    await self._changed.wait()
            self._changed.clear()

    async def _read_page(self) -> bool:
        """Hand out the next events. Returns whether there may be more at once."""
        if self._position is None:
            self._position = await self._settled_position()
        async with self._sessions() as session:
            await stream.freeze(session)
            oldest, newest = await stream.snapshot_bounds(session)
            rows = await stream.events_after(session, self._position, _PAGE)
        for row in rows:
            if row.id != self._position + 1 and not self._gap_is_settled(oldest, newest):
                return False
            self._gap = None
            self._position = row.id
            self.publish(event_message(row))
        return len(rows) == _PAGE

    async def _settled_position(self) -> int:
        """The highest id now, once all transactions have ended that could still commit a lower one."""
        async with self._sessions() as session:
            await stream.freeze(session)
            position = await stream.last_event_id(session)
            _, newest = await stream.snapshot_bounds(session)
        deadline = time.monotonic() + _GAP_SECONDS
        while time.monotonic() < deadline:
            async with self._sessions() as session:
                oldest, _ = await stream.snapshot_bounds(session)
            if oldest >= newest:
                break
            await asyncio.sleep(0.05)
        return position

    def _gap_is_settled(self, oldest: int, newest: int) -> bool:
        """Has every transaction ended that ran when the gap behind `position` was first seen?"""
        assert self._position is not None  # noqa: S101  only called with one
        if self._gap is None or self._gap[0] != self._position:
            self._gap = (self._position, newest, time.monotonic())
        _, seen_at, since = self._gap
        return oldest >= seen_at or time.monotonic() - since > _GAP_SECONDS


async def end_tasks(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a library may swallow one cancellation."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)


def event_message(row: stream.EventRow) -> Message:
    """An event as the stream carries it. Long messages are cut; the events list has them whole."""
    return {
        "type": "event",
        "run_id": row.run_id,
        "project": row.project,
        "id": row.id,
        "kind": row.kind,
        "level": row.level,
        "message": row.message[:2000],
        "step": row.step,
        "time": row.time.isoformat(),
        "attempt": row.attempt,
    }
