"""Looks after what no run tells of itself: flow runs that hold a place for nobody, workers that are gone, schedules
that launched nothing. In whichever API process has the lease, every half minute.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.models import new_id
from app.queries import idempotency, notices, runs, workers
from app.services import schedules
from app.services.live import end_tasks
from app.services.orchestrator import Orchestrator, PrefectError
from app.services.prefect_schedules import PrefectSchedules
from app.services.sweep import HELD, Sweep
from app.settings import Settings

_LEASE = "watch"
_TELL = timedelta(days=1)
"""What is older is not told any more: it was missed while nobody was there to tell it."""
_log = structlog.get_logger()


class Watch:
    """`start` it with the service, `stop` it at the end; `look` is one pass."""

    def __init__(
        self, settings: Settings, database: Database, orchestrator: Orchestrator, prefect: PrefectSchedules
    ) -> None:
        self.database, self.orchestrator, self.prefect = database, orchestrator, prefect
        self.interval, self.dead_after = settings.watch_seconds, settings.dead_after_seconds
        self.holder = new_id()
        self._zombies = Sweep(self.dead_after)
        self.watching_since: datetime | None = None
        self._looked_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="watch")

    async def stop(self) -> None:
        """End, and let another take over at once."""
        if self._task:
            await end_tasks([self._task])
        with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):
            async with self.database.begin() as session:
                await idempotency.give_lease_back(session, _LEASE, self.holder)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("watch interrupted", error=f"{type(error).__name__}: {error}"[:300])
                self.watching_since = None
            except Exception:
                _log.exception("watch failed")
            await asyncio.sleep(self.interval)

    async def look(self) -> None:
        """One pass. Nothing while another process does it."""
        async with self.database.begin() as session:
            if await idempotency.take_lease(session, _LEASE, self.holder, 3 * self.interval) is None:
                self.watching_since = None
                return
            now = await runs.clock(session)
        # silence counts only as long as we could have heard: not while we were down, stopped or without the lease
        moment = time.monotonic()
        if self.watching_since is None or moment - self._looked_at > 3 * self.interval:
            self.watching_since, self._zombies = now, Sweep(self.dead_after)
        self._looked_at = moment
        await self._tell_dead_workers(now)
        steps: tuple[Callable[[datetime], Awaitable[None]], ...] = (self._sweep, self._tell_missed)
        for step in steps:
            try:
                await step(now)
            except PrefectError as error:
                _log.warning("prefect away", error=str(error)[:300])

    async def _sweep(self, now: datetime) -> None:
        held = await self.orchestrator.held(HELD)
        async with self.database.begin() as session:
            live = [(run.id, run.attempt) for run in await runs.active(session)]
        for ending in self._zombies.find(held, live, now):
            _log.warning("flow run ended", flow_run_id=ending.flow_run_id, how=ending.how, why=ending.why)
            if ending.how == "cancel":
                await self.orchestrator.cancel(ending.flow_run_id)
            else:
                await self.orchestrator.crash(ending.flow_run_id, ending.why)

    async def _tell_dead_workers(self, now: datetime) -> None:
        if self.watching_since is None or (now - self.watching_since).total_seconds() <= self.dead_after:
            return
        async with self.database.begin() as session:
            for worker in await workers.silent(session, self.dead_after, _TELL.total_seconds()):
                seen = worker.last_seen_at.astimezone(UTC).isoformat(timespec="seconds")
                subject = f"worker {worker.pool}/{worker.name} since {seen}"
                data = {"worker": worker.name, "pool": worker.pool, "host": worker.host, "last_seen_at": seen}
                if not await notices.is_known(session, subject):
                    await notices.add(session, "worker.dead", subject, data)

    async def _tell_missed(self, now: datetime) -> None:
        for schedule in await schedules.list_schedules(self.prefect):
            missed = [one for one in schedule.last_runs if one.state in {"missed", "late"} and one.due_at > now - _TELL]
            if not missed or schedule.paused:
                continue
            newest = missed[0]
            subject = f"schedule {schedule.project}/{schedule.name} due {newest.due_at.isoformat()}"
            data = {
                "schedule": schedule.name,
                "due_at": newest.due_at.isoformat(),
                "detail": newest.detail,
                "num_missed": len(missed),
            }
            async with self.database.begin() as session:
                if not await notices.is_known(session, subject):
                    await notices.add(session, "schedule.missed", subject, data)
