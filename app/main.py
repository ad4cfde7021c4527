"""The service: REST API, live stream, UI. `uvicorn app.main:create_app --factory`.

`python -m app.main --openapi` prints the OpenAPI document.
"""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.db import Database, plain_url, upgrade
from app.routes import (
    attention,
    audit,
    auth,
    blobs,
    commands,
    datasets,
    estimates,
    evaluations,
    events,
    export,
    health,
    ingest,
    labels,
    metrics,
    operations,
    prefect_proxy,
    presets,
    problems,
    projects,
    runs,
    schedules,
    stream,
    ui,
    users,
    webhooks,
    workers,
)
from app.routes.body_limit import BodyLimit
from app.routes.rate_limit import RateLimit
from app.routes.security import SecurityMiddleware
from app.schemas import Problem
from app.services import logs
from app.services.edges import edges
from app.services.orchestrator import Orchestrator
from app.services.prefect_client import PrefectClient
from app.services.prefect_schedules import PrefectSchedules
from app.services.reconciler import Reconciler
from app.services.watch import Watch
from app.services.work_polls import WorkPolls
from app.settings import Settings
from app.settings import settings as read_settings

ROUTERS = (
    auth, audit, attention, runs, export, operations, metrics, events, commands, presets, estimates, ingest, datasets,
    labels, evaluations, blobs, workers, projects, users, schedules, webhooks, stream, health, prefect_proxy, ui,
)  # fmt: skip
"""In the order in which they are tried: the UI takes what is left."""


def create_app(settings: Settings | None = None, orchestrator: Orchestrator | None = None) -> FastAPI:
    """The application. Its life begins with the schema's upgrade; without a database it does not start.

    `orchestrator` stands in for Prefect; None: the Prefect server of the settings.
    """
    settings = settings or read_settings()
    logs.configure()
    app = FastAPI(
        title="Headrace",
        version=version("headrace"),
        description="From raw documents to a trained, measured, released small language model.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(settings, orchestrator),
        responses=problems.RESPONSES,
    )
    app.state.settings = settings
    problems.install(app)
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(RateLimit, settings=settings)
    app.add_middleware(SecurityMiddleware, settings=settings)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way to extend the document
    return app


def _lifespan(
    settings: Settings, orchestrator: Orchestrator | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = Database(plain_url(settings))
            stack.push_async_callback(database.close)
            await upgrade(database.engine)
            app.state.database = database
            await stack.enter_async_context(prefect_proxy.prefect_upstream(app, settings))
            app.state.work_polls = polls = WorkPolls()
            client = PrefectClient(settings, on_change=polls.wake)
            stack.push_async_callback(client.close)
            app.state.orchestrator = orchestrator or client
            app.state.schedules = PrefectSchedules(client)
            await stack.enter_async_context(edges(app, settings, database))
            app.state.reconciler = reconciler = Reconciler(settings, database, app.state.orchestrator)
            await reconciler.start()
            stack.push_async_callback(reconciler.stop)
            app.state.watch = watch = Watch(settings, database, app.state.orchestrator, app.state.schedules)
            await watch.start()
            stack.push_async_callback(watch.stop)
            yield

    return lifespan


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with the bodies that handlers read themselves."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        models: list[type[BaseModel]] = [*ingest.BODIES, Problem]
        pairs: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in models]
        _, extra = models_json_schema(pairs, ref_template="#/components/schemas/{model}")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        document["components"]["schemas"] = extra["$defs"] | schemas
        app.openapi_schema = document
    return app.openapi_schema


def main(arguments: list[str]) -> int:
    """Print the OpenAPI document."""
    if arguments != ["--openapi"]:
        print("usage: python -m app.main --openapi > openapi.json", file=sys.stderr)
        return 2
    print(json.dumps(create_app(Settings()).openapi(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
