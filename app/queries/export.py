"""SQL of exports: points and events of a run, page by page, each in a short transaction of its own."""

from typing import Any

from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Event
from app.queries.binary_copy import copy_out, row_type

_ROW = row_type(step="i8", value="f8", time="i8")
_POINTS = "SELECT step, value, time FROM metrics WHERE series_id = $1 AND step > $2 ORDER BY step LIMIT $3"


async def points(session: AsyncSession, series_id: int, after: int, limit: int) -> NDArray[Any]:
    """Points with a higher step: an array with the fields `step`, `value`, `time` (see `binary_copy`)."""
    return await copy_out(session, _ROW, _POINTS, series_id, after, limit)


async def events(session: AsyncSession, run_id: str, after: int, limit: int) -> list[Event]:
    """Events with a higher id, in order."""
    query = select(Event).where(Event.run_id == run_id, Event.id > after).order_by(Event.id).limit(limit)
    return list(await session.scalars(query))
