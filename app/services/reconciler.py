"""Brings runs and Prefect together again, every few seconds, in whichever API process has the lease.

It hands over runs that Prefect has not got, gives new attempts where a worker died, ends what was cancelled, and says
why a run waits. Every change is made under the run's lock after another look, so a late verdict does no harm.
"""

import asyncio
import contextlib
import time
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.models import Attempt, Run, new_id
from app.queries import idempotency, reconciliation, runs
from app.services import cancellation, launch, lifecycle
from app.services.idempotency import KEEP_SECONDS
from app.services.orchestrator import FlowRunState, Orchestrator, PrefectError
from app.services.verdict import Action, Observation, Verdict, judge
from app.settings import Settings
from workers.specs.events import RunState

_log = structlog.get_logger()
_LEASE = "reconciler"
_CLEAN_UP_SECONDS = 600.0
_BATCH = 20


class Reconciler:
    """`start` it with the service, `stop` it at the end; `look` is one pass."""

    def __init__(self, settings: Settings, database: Database, orchestrator: Orchestrator) -> None:
        self.database, self.orchestrator = database, orchestrator
        self.interval, self.dead_after = settings.reconcile_seconds, settings.dead_after_seconds
        self.holder = new_id()
        self._seen: dict[tuple[str, int, str, str], float] = {}
        self._leftover: dict[tuple[str, int, str], float] = {}
        self._watching_since: datetime | None = None
        self._looked_at = 0.0
        self._tidied_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="reconciler")

    async def stop(self) -> None:
        """End, and let another take over at once."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(SQLAlchemyError, OSError):
            async with self.database.begin() as session:
                await idempotency.give_lease_back(session, _LEASE, self.holder)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("reconciler_interrupted", error=f"{type(error).__name__}: {error}"[:300])
                self._watching_since = None
            except Exception:
                _log.exception("reconciler_failed")
                self._watching_since = None
            await asyncio.sleep(self.interval)

    async def look(self) -> None:
        """One pass over all active runs."""
        now = await self._take_lease()
        if now is None:
            self._watching_since = None
            return
        self._watch(now)
        await self._submit()
        await self._end_orphans()
        try:
            await self._compare(now)
            await self._clean_up()
        except PrefectError as error:
            _log.warning("prefect_away", error=str(error))
            await self._end_silent(now)

    async def _take_lease(self) -> datetime | None:
        async with self.database.begin() as session:
            seconds = max(10.0, 5 * self.interval)
            if await idempotency.take_lease(session, _LEASE, self.holder, seconds) is None:
                return None
            if time.monotonic() - self._tidied_at > 3600:
                await idempotency.forget_before(session, KEEP_SECONDS)
                self._tidied_at = time.monotonic()
            return await runs.clock(session)

    def _watch(self, now: datetime) -> None:
        # silence counts only as long as we could have heard: not while we were down, stopped or without the lease
        moment = time.monotonic()
        pause = moment - self._looked_at
        if self._watching_since is None or pause > max(10.0, 10 * self.interval):
            self._watching_since = now
            self._seen.clear()
        self._looked_at = moment

    async def _submit(self) -> None:
        async with self.database.begin() as session:
            waiting = await runs.claim_unsubmitted(session, launch.CLAIM_SECONDS, _BATCH)
        for run_id in waiting:
            await launch.submit(self.database, self.orchestrator, run_id)

    async def _end_orphans(self) -> None:
        async with self.database.begin() as session:
            orphans = await runs.orphans(session)
        for run_id in orphans:
            await cancellation.cancel(self.database, self.orchestrator, run_id, "its parent has ended")

    async def _compare(self, now: datetime) -> None:
        async with self.database.begin() as session:
            active = await runs.active(session)
            heard = await reconciliation.last_signs(session, [run.id for run in active])
        handed_over = [run for run in active if run.prefect_flow_run_id]
        states = await self.orchestrator.states([str(run.prefect_flow_run_id) for run in handed_over])
        queued = any(run.state == RunState.QUEUED for run in handed_over)
        pools = await self.orchestrator.online_pools() if queued else {}
        await self._cancel_unsubmitted(active)
        seen_now = set()
        for run in handed_over:
            flow_run = states.get(str(run.prefect_flow_run_id))
            key = (run.id, run.attempt, run.state, flow_run.type if flow_run else "")
            seen_now.add(key)
            since = self._seen.setdefault(key, time.monotonic())
            observation = Observation(
                state=RunState(run.state),
                pool=run.pool,
                flow_run=flow_run,
                num_workers=pools.get(run.pool, 0),
                unchanged_seconds=time.monotonic() - since,
                silent_seconds=self._silence(now, heard.get(run.id)),
                dead_after_seconds=self.dead_after,
            )
            await self._act(run, judge(observation), flow_run)
        self._seen = {key: since for key, since in self._seen.items() if key in seen_now}

    def _silence(self, now: datetime, heard: datetime | None) -> float:
        since = max(moment for moment in (heard, self._watching_since, now - timedelta(days=1)) if moment)
        return (now - since).total_seconds()

    async def _cancel_unsubmitted(self, active: list[Run]) -> None:
        for run in active:
            if run.state == RunState.CANCELLING and not run.prefect_flow_run_id:
                await self._act(run, Verdict(Action.END, "", RunState.CANCELLED), None)

    async def _end_silent(self, now: datetime) -> None:
        """With Prefect away, silence alone is judged."""
        async with self.database.begin() as session:
            active = await runs.active(session)
            heard = await reconciliation.last_signs(session, [run.id for run in active])
        for run in active:
            silence = self._silence(now, heard.get(run.id))
            if run.state in {RunState.RUNNING, RunState.PAUSED} and silence > self.dead_after:
                await self._act(run, Verdict(Action.CRASH, f"its worker has been silent for {silence:.0f} s"), None)

    async def _act(self, judged: Run, verdict: Verdict, flow_run: FlowRunState | None) -> None:
        if verdict.action is Action.NOTHING:
            return
        if verdict.action is Action.CANCEL and judged.prefect_flow_run_id:
            await self.orchestrator.cancel(judged.prefect_flow_run_id)
            return
        async with self.database.begin() as session:
            run = await lifecycle.locked(session, judged.id)
            place = (run.attempt, run.state, run.prefect_flow_run_id)
            if place != (judged.attempt, judged.state, judged.prefect_flow_run_id):
                return  # something happened meanwhile: look again
            if run.heartbeat_at != judged.heartbeat_at and verdict.action is Action.CRASH and not _died(flow_run):
                return  # it spoke after all
            if verdict.action is Action.EXPLAIN:
                await lifecycle.explain(session, run, verdict.reason)
            elif verdict.action is Action.CRASH:
                await lifecycle.crash(session, run, verdict.reason)
            elif verdict.state and run.state != verdict.state:
                await lifecycle.change(session, run, verdict.state, verdict.reason)

    async def _clean_up(self) -> None:
        """End the flow runs of attempts that are over: they hold slots, and their work is refused anyway."""
        async with self.database.begin() as session:
            ended = await reconciliation.recently_ended(session, _CLEAN_UP_SECONDS)
        states = await self.orchestrator.states([str(attempt.flow_run_id) for attempt in ended])
        known = {}
        for attempt in ended:
            flow_run = states.get(str(attempt.flow_run_id))
            if flow_run:
                key = (attempt.run_id, attempt.number, flow_run.type)
                known[key] = self._leftover.get(key, time.monotonic())
                await self._end_flow_run(attempt, flow_run, time.monotonic() - known[key])
        self._leftover = known

    async def _end_flow_run(self, attempt: Attempt, flow_run: FlowRunState, age: float) -> None:
        if flow_run.type in {"SCHEDULED", "PENDING", "RUNNING", "PAUSED"}:
            await self.orchestrator.cancel(str(attempt.flow_run_id))
        elif flow_run.type == "CANCELLING" and age > self.dead_after:
            await self.orchestrator.crash(str(attempt.flow_run_id), "its worker is gone")


def _died(flow_run: FlowRunState | None) -> bool:
    return flow_run is not None and flow_run.type in {"CRASHED", "FAILED", "COMPLETED"}
