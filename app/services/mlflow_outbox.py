"""Tells MLflow what happened: drains the outbox, in order within each run, beside ingest and never in its way.

At least once: an entry is removed after MLflow has it, and each step can be repeated without harm. An entry that
MLflow refuses for good is dropped with a warning, so that it does not hold up its run.
"""

import asyncio
import contextlib

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.models import OutboxEntry, new_id
from app.queries import idempotency, outbox
from app.services.blobs import BlobStore
from app.services.live import end_tasks
from app.services.mlflow_client import MlflowClient, MlflowError
from app.services.mlflow_record import MlflowRecord
from app.settings import Settings

LEASE = "mlflow-outbox"
_LEASE_SECONDS = 60
_POLL_SECONDS = 1.0
_BATCH_SECONDS = 4.0
"""After entries were told. MLflow takes a call of 400 points as easily as one of 20; told each second, one training
run kept a sixth of a core busy in it."""
_RUNS = 20
_ENTRIES = 200
_MAX_DELAY_SECONDS = 300.0
_log = structlog.get_logger()


class MlflowOutbox:
    """A background task. One process at a time holds the lease and does the work."""

    def __init__(self, settings: Settings, database: Database, store: BlobStore) -> None:
        self._database = database
        self._client = MlflowClient(settings)
        self._record = MlflowRecord(self._client, database, store)
        self._holder = new_id()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="mlflow outbox")

    async def stop(self) -> None:
        """End; what is not told yet stays in the outbox."""
        if self._task:
            await end_tasks([self._task])
        with contextlib.suppress(OSError, SQLAlchemyError, TimeoutError):
            async with self._database.begin() as session:
                await idempotency.give_lease_back(session, LEASE, self._holder)
        await self._client.close()

    async def _run(self) -> None:
        while True:
            done = 0
            try:
                done = await self.drain()
            except (OSError, SQLAlchemyError, TimeoutError) as error:
                _log.warning("outbox waits for the database", error=type(error).__name__)
            pause = 0.0 if done >= _ENTRIES else _BATCH_SECONDS if done else _POLL_SECONDS
            await asyncio.sleep(pause)

    async def _hold_lease(self) -> bool:
        async with self._database.begin() as session:
            return await idempotency.take_lease(session, LEASE, self._holder, _LEASE_SECONDS) is not None

    async def drain(self) -> int:
        """Tell what is due; returns the number of entries that were told. Nothing while another process does it."""
        async with self._database.begin() as session:
            run_ids = await outbox.next_runs(session, _RUNS)
        done = 0
        for run_id in run_ids:
            if not await self._hold_lease():
                break
            done += await self._drain_run(run_id)
        return done

    async def _drain_run(self, run_id: str) -> int:
        async with self._database.begin() as session:
            waiting = await outbox.entries(session, run_id, _ENTRIES)
        done = 0
        for group in grouped(waiting):
            try:
                await self._record.tell(run_id, group)
            except MlflowError as error:
                if not error.final:
                    await self._postpone(group[0], str(error))
                    return done
                _log.warning("MLflow refused a report", run_id=run_id, kind=group[0].kind, error=str(error))
            except (OSError, ValueError) as error:  # the store, or a payload that makes no sense
                if group[0].tries < 5:
                    await self._postpone(group[0], f"{type(error).__name__}: {error}")
                    return done
                _log.warning("report dropped", run_id=run_id, kind=group[0].kind, error=str(error))
            async with self._database.begin() as session:
                await outbox.remove(session, [entry.id for entry in group])
            done += len(group)
        return done

    async def _postpone(self, entry: OutboxEntry, error: str) -> None:
        delay = min(2.0 ** min(entry.tries, 10), _MAX_DELAY_SECONDS)
        async with self._database.begin() as session:
            await outbox.postpone(session, entry.id, delay, error)
        _log.warning("MLflow report postponed", run_id=entry.run_id, seconds=delay, error=error[:300])


def grouped(entries: list[OutboxEntry]) -> list[list[OutboxEntry]]:
    """Neighbours of kind `metrics` in one group, all others alone: one call for many small batches."""
    groups: list[list[OutboxEntry]] = []
    for entry in entries:
        if groups and entry.kind == "metrics" == groups[-1][0].kind:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups
