"""What is tidied up beside the service: deletions that take time, notes that nobody needs any more."""

import asyncio
import contextlib
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.models import new_id
from app.queries import deletion as queries
from app.queries import idempotency, retention
from app.services import deletion
from app.services.blobs import BlobStore
from app.services.live import end_tasks
from app.settings import Settings

_log = structlog.get_logger()
_LEASE = "upkeep"
_LEASE_SECONDS = 60.0
_POLL_SECONDS = 5.0
_STEP_SECONDS = 20.0
_TIDY_SECONDS = 3600.0
_RUNS_AT_ONCE = 100
_KEEP_OPERATIONS_SECONDS = 30 * 86_400.0


class Upkeep:
    """A background task. One process at a time holds the lease and does the work."""

    def __init__(self, settings: Settings, database: Database, store: BlobStore) -> None:
        self._database, self._store = database, store
        self._keep_raw_days = settings.keep_raw_days
        self._interval = max(_POLL_SECONDS, settings.reconcile_seconds)
        self._holder = new_id()
        self._tidied_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="upkeep")

    async def stop(self) -> None:
        """End; what is not done yet is noted in the database."""
        if self._task:
            await end_tasks([self._task])
        with contextlib.suppress(OSError, SQLAlchemyError, TimeoutError):
            async with self._database.begin() as session:
                await idempotency.give_lease_back(session, _LEASE, self._holder)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (OSError, SQLAlchemyError, TimeoutError) as error:
                _log.warning("upkeep_interrupted", error=f"{type(error).__name__}: {error}"[:300])
            except Exception:
                _log.exception("upkeep_failed")
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """One pass. Nothing while another process does it."""
        if not await self._hold_lease():
            return
        async with self._database.begin() as session:
            waiting = await queries.open_operations(session)
        for operation_id in waiting:
            if not await self._hold_lease():
                return
            found = await deletion.proceed(self._database, self._store, operation_id, _STEP_SECONDS)
            _log.info("deletion", run_id=found.target, state=found.state, detail=found.detail)
        if self._tidied_at is None or time.monotonic() - self._tidied_at > _TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            await self._tidy()

    async def _hold_lease(self) -> bool:
        async with self._database.begin() as session:
            return await idempotency.take_lease(session, _LEASE, self._holder, _LEASE_SECONDS) is not None

    async def _tidy(self) -> None:
        async with self._database.begin() as session:
            await queries.forget_operations(session, _KEEP_OPERATIONS_SECONDS)
        more = True
        while more and await self._hold_lease():
            async with self._database.begin() as session:
                forgotten = await retention.forget_batches(session)
                thinned = await deletion.request_thinning(session, self._keep_raw_days, _RUNS_AT_ONCE)
            more = forgotten > 0 or thinned == _RUNS_AT_ONCE
