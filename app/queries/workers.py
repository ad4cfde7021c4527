"""SQL of workers: their handshakes."""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Worker, new_id
from app.schemas import WorkerHello

ONLINE_SECONDS = 30
_FORGET = timedelta(days=7)


async def greet(session: AsyncSession, hello: WorkerHello) -> None:
    """Note a worker that is alive. One row a pool and name; those unseen for a week go."""
    values = {**hello.model_dump(), "last_seen_at": func.now(), "left_at": None}
    statement = insert(Worker).values(id=new_id(), **values)
    await session.execute(statement.on_conflict_do_update(index_elements=[Worker.pool, Worker.name], set_=values))
    await session.execute(delete(Worker).where(Worker.last_seen_at < func.now() - _FORGET))


async def leave(session: AsyncSession, pool: str, name: str) -> None:
    """Note a worker that has ended in order: nobody is to wonder where it is."""
    change = update(Worker).where(Worker.pool == pool, Worker.name == name)
    await session.execute(change.values(left_at=func.now()))


async def silent(session: AsyncSession, seconds: float, most_seconds: float) -> list[Worker]:
    """Workers that were not seen for so many seconds (but within `most_seconds`) and did not say that they leave."""
    query = select(Worker).where(
        Worker.left_at.is_(None),
        Worker.last_seen_at < func.now() - timedelta(seconds=seconds),
        Worker.last_seen_at > func.now() - timedelta(seconds=most_seconds),
    )
    return list(await session.scalars(query.order_by(Worker.pool, Worker.name)))


async def workers(session: AsyncSession) -> list[tuple[Worker, bool]]:
    """All workers and whether each was seen within `ONLINE_SECONDS` (by the database's clock)."""
    online = _online()
    query = select(Worker, online).order_by(online.desc(), Worker.pool, Worker.name)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def online_by_pool(session: AsyncSession) -> dict[str, int]:
    """Number of online workers of each pool that has ever had one."""
    online = _online()
    query = select(Worker.pool, func.count().filter(online)).group_by(Worker.pool).order_by(Worker.pool)
    return {row[0]: row[1] for row in await session.execute(query)}


def _online() -> ColumnElement[bool]:
    seen = Worker.last_seen_at > func.now() - timedelta(seconds=ONLINE_SECONDS)
    return seen & Worker.left_at.is_(None)
