"""What runs beside the routes while the service lives: tokens of the settings, live stream, outboxes, upkeep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from app.db import Database, plain_url
from app.services.auth import put_bootstrap_tokens
from app.services.blobs import build_store
from app.services.comparison import Comparer
from app.services.dataset_files import DatasetFiles
from app.services.datasets import SampleReader
from app.services.dispatcher import Dispatcher
from app.services.health import HealthCheck
from app.services.live import LiveHub
from app.services.mlflow_outbox import MlflowOutbox
from app.services.upkeep import Upkeep
from app.settings import Settings


@asynccontextmanager
async def edges(app: Starlette, settings: Settings, database: Database) -> AsyncIterator[None]:
    """Start them, put them into `app.state`, and end them. The schema must be up to date."""
    async with database.begin() as session:
        await put_bootstrap_tokens(session, settings)
    store = build_store(settings)
    app.state.dataset_files = files = DatasetFiles(store, settings.home / "cache" / "samples")
    app.state.samples = SampleReader(files)
    app.state.comparison = Comparer(files)
    app.state.health = HealthCheck(settings, database)
    app.state.live = hub = LiveHub(plain_url(settings), database)
    outbox = MlflowOutbox(settings, database, store) if settings.mlflow_url else None
    app.state.upkeep = upkeep = Upkeep(settings, database, store)
    app.state.dispatcher = dispatcher = Dispatcher(settings, database)
    await hub.start()
    await upkeep.start()
    if outbox:
        await outbox.start()
    await dispatcher.start()
    try:
        yield
    finally:
        await dispatcher.stop()
        if outbox:
            await outbox.stop()
        await upkeep.stop()
        await hub.stop()
