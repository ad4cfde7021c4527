"""Server-sent events: what changes, as it changes. https://html.spec.whatwg.org/multipage/server-sent-events.html"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.db import SCOPE
from app.queries import stream
from app.routes.deps import DatabaseOf, require
from app.services.live import TYPES, LiveHub, SlowSubscriberError, event_message
from app.services.problems import ProblemError, invalid

router = APIRouter(tags=["stream"])
LIFETIME_SECONDS = 600.0
HEARTBEAT_SECONDS = 15
MAX_STREAMS = 200
_SEND_SECONDS = 30.0
_PAGE = 500
_DESCRIPTION = """Messages are JSON objects `{type, run_id, ...}`.

- `event`: an event or a line of the log, with its `id`, in order and without loss: the browser's `EventSource` resumes
  by itself with `Last-Event-ID`; others send that header (or `last_event_id`).
- `run`, `metrics`, `intervention`, `finding`: something of this run has changed; fetch it. After a reconnect fetch all.

The first message is the named event `hello`. A stream ends after ten minutes, or when its reader is too slow."""


@router.get(
    "/api/v1/stream",
    operation_id="stream",
    summary="Stream",
    description=_DESCRIPTION,
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The stream."}},
    dependencies=[Depends(require("viewer"))],
)
async def open_stream(
    request: Request,
    database: DatabaseOf,
    run_id: Annotated[list[str] | None, Query(max_length=50, description="Only these runs; none: all.")] = None,
    types: Annotated[str, Query(max_length=200, description="Comma separated; empty: all.")] = "",
    last_event_id: Annotated[str | None, Query(max_length=30)] = None,
    last_event_id_header: Annotated[str | None, Header(alias="Last-Event-ID", max_length=30)] = None,
) -> EventSourceResponse:
    """Open a stream."""
    hub: LiveHub = request.app.state.live
    if hub.num_subscribers >= MAX_STREAMS:
        raise ProblemError(
            503, "too-many-streams", "Too many streams", f"{MAX_STREAMS} are open.", headers={"Retry-After": "10"}
        )
    wanted = _types(types)
    resume = _last_id(last_event_id_header or last_event_id)
    messages = _messages(hub, database, frozenset(run_id or ()), wanted, resume)
    return EventSourceResponse(messages, ping=HEARTBEAT_SECONDS, send_timeout=_SEND_SECONDS, sep="\n")


async def _messages(
    hub: LiveHub, database: DatabaseOf, run_ids: frozenset[str], types: frozenset[str], resume: int | None
) -> AsyncIterator[ServerSentEvent]:
    deadline = time.monotonic() + LIFETIME_SECONDS
    async with hub.subscribe(run_ids, types, SCOPE.get()) as (subscriber, position):
        start = position if resume is None else min(resume, position)
        hello = orjson.dumps({"last_event_id": start, "resumed": resume is not None}).decode()
        yield ServerSentEvent(hello, event="hello", id=str(start), retry=1000)
        if "event" in types:
            async for row in _missed(database, run_ids, start, position):
                yield _sse(event_message(row))
        while (left := deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await subscriber.take()
            except (TimeoutError, SlowSubscriberError):
                return
            yield _sse(message)


async def _missed(
    database: DatabaseOf, run_ids: frozenset[str], after: int, until: int
) -> AsyncIterator[stream.EventRow]:
    """Events with after < id <= until, page by page; no connection is held while the client reads."""
    while after < until:
        async with database.begin() as session:
            rows = await stream.events_after(session, after, _PAGE, until, sorted(run_ids))
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _sse(message: dict[str, object]) -> ServerSentEvent:
    number = message.get("id") if message["type"] == "event" else None
    return ServerSentEvent(orjson.dumps(message).decode(), id=None if number is None else str(number))


def _types(text: str) -> frozenset[str]:
    asked = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := asked - TYPES:
        message = f"{', '.join(sorted(unknown))}: there are {', '.join(sorted(TYPES))}"
        raise invalid("Unknown type of message.", [{"pointer": "/query/types", "message": message}])
    return asked or TYPES


def _last_id(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        message = "It is the `id` of a message of this stream: a whole number."
        raise invalid("Unknown Last-Event-ID.", [{"pointer": "/header/Last-Event-ID", "message": message}])
    return int(text)
