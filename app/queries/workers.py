"""SQL of workers: their handshakes."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Worker, new_id
from app.schemas import WorkerHello

ONLINE_SECONDS = 30
_FORGET = timedelta(days=7)


async def greet(session: AsyncSession, hello: WorkerHello) -> None:
    """Note a worker that is alive. One row a pool and name; those unseen for a week go."""
    values = {**hello.model_dump(), "last_seen_at": func.now()}
    statement = insert(Worker).values(id=new_id(), **values)
    await session.execute(statement.on_conflict_do_update(index_elements=[Worker.pool, Worker.name], set_=values))
    await session.execute(delete(Worker).where(Worker.last_seen_at < func.now() - _FORGET))


async def workers(session: AsyncSession) -> list[tuple[Worker, bool]]:
    """All workers and whether each was seen within `ONLINE_SECONDS` (by the database's clock)."""
    online = Worker.last_seen_at > func.now() - timedelta(seconds=ONLINE_SECONDS)
    query = select(Worker, online).order_by(online.desc(), Worker.pool, Worker.name)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def online_by_pool(session: AsyncSession) -> dict[str, int]:
    """Number of online workers of each pool that has ever had one."""
    online = Worker.last_seen_at > func.now() - timedelta(seconds=ONLINE_SECONDS)
    query = select(Worker.pool, func.count().filter(online)).group_by(Worker.pool).order_by(Worker.pool)
    return {row[0]: row[1] for row in await session.execute(query)}
