"""Health of the parts: database, Prefect, MLflow, storage, workers by pool."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.queries import outbox, workers
from app.schemas import Health, Part
from app.services.blobs import build_store
from app.services.prefect_client import PrefectClient
from app.settings import Settings

_CHECK_SECONDS = 4.0
_KEEP_SECONDS = 2.0
VITAL = frozenset({"database", "storage"})
"""Without these the service answers nothing of use."""


class HealthCheck:
    """Looks at all parts at once; an answer is kept for two seconds, so that asking often costs nothing."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._lock = asyncio.Lock()
        self._known: tuple[float, Health] | None = None

    async def look(self) -> Health:
        """The health now."""
        async with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > _KEEP_SECONDS:
                self._known = (time.monotonic(), await self._look())
            return self._known[1]

    async def _look(self) -> Health:
        parts = await asyncio.gather(
            _try("database", self._database_detail),
            _try("prefect", self._prefect_detail),
            _try("mlflow", self._mlflow_detail, self._settings.mlflow_url or None),
            _try("storage", build_store(self._settings).check),
            self._workers(),
        )
        found = [*parts[:4], *parts[4]]
        return Health(ok=all(part.ok for part in parts[:4]), version=version("headrace"), parts=found)

    async def _database_detail(self) -> str:
        async with self._database.begin() as session:
            return f"Postgres {await session.scalar(text('SHOW server_version'))}"

    async def _prefect_detail(self) -> str:
        client = PrefectClient(self._settings)
        try:
            if not await client.healthy():
                raise ConnectionError(f"{self._settings.prefect_api_url or 'no address'}: no answer")
        finally:
            await client.close()
        return ""

    async def _mlflow_detail(self) -> str:
        url = self._settings.mlflow_url.rstrip("/")
        if not url:
            raise ConnectionError("no address: set HEADRACE_MLFLOW_URL")
        async with httpx.AsyncClient(timeout=httpx.Timeout(3, connect=2)) as client:
            (await client.get(f"{url}/health")).raise_for_status()
        async with self._database.begin() as session:
            waiting, error = await outbox.backlog(session)
        return f"{waiting} reports wait" + (f": {error[:200]}" if error else "")

    async def _workers(self) -> list[Part]:
        try:
            async with asyncio.timeout(_CHECK_SECONDS), self._database.begin() as session:
                online = await workers.online_by_pool(session)
        except (OSError, TimeoutError, SQLAlchemyError):
            return []
        return [Part(name=f"workers:{pool}", ok=n > 0, detail=f"{n} online") for pool, n in online.items()]


def without_details(health: Health) -> Health:
    """For callers without a token: which parts are well, and no more."""
    return health.model_copy(update={"parts": [Part(name=part.name, ok=part.ok) for part in health.parts]})


async def _try(name: str, check: Callable[[], Awaitable[str]], url: str | None = None) -> Part:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return Part(name=name, ok=True, detail=await check(), url=url)
    except TimeoutError:
        return Part(name=name, ok=False, detail=f"no answer in {_CHECK_SECONDS:.0f} s", url=url)
    except (OSError, ValueError, RuntimeError, SQLAlchemyError, httpx.HTTPError) as error:
        return Part(name=name, ok=False, detail=f"{type(error).__name__}: {error}"[:300], url=url)
