"""SQL of the live stream: events in the order of their ids, and which transactions may still add lower ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Event, Run


class EventRow(NamedTuple):
    """What the stream tells of an event."""

    id: int
    run_id: str
    project: str
    attempt: int
    kind: str
    level: str
    message: str
    step: int | None
    time: datetime


_COLUMNS = (
    Event.id,
    Event.run_id,
    Run.project,
    Event.attempt,
    Event.kind,
    Event.level,
    func.left(Event.message, 2000),
    Event.step,
    Event.time,
)


async def freeze(session: AsyncSession) -> None:
    """Give all statements of this transaction one snapshot. Call it first."""
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


async def snapshot_bounds(session: AsyncSession) -> tuple[int, int]:
    """The oldest transaction that still runs, and the first id that no transaction has yet."""
    query = "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() s"
    row = (await session.execute(text(query))).one()
    return row[0], row[1]


async def last_event_id(session: AsyncSession) -> int:
    """The highest id, 0 when there is no event."""
    return await session.scalar(select(func.coalesce(func.max(Event.id), 0))) or 0


async def events_after(
    session: AsyncSession,
    after: int,
    limit: int,
    until: int | None = None,
    run_ids: Sequence[str] = (),
) -> list[EventRow]:
    """Events with after < id (<= until), of these runs or of all, in order."""
    query = select(*_COLUMNS).join(Run, Run.id == Event.run_id).where(Event.id > after).order_by(Event.id).limit(limit)
    if until is not None:
        query = query.where(Event.id <= until)
    if run_ids:
        query = query.where(Event.run_id.in_(run_ids))
    return [EventRow(*row) for row in await session.execute(query)]
