"""SQL of the reconciler: attempts that are over, but whose flow runs may live on."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Attempt, Run
from app.queries.runs import in_seconds


async def recently_ended(session: AsyncSession, seconds: float) -> list[Attempt]:
    """Attempts that crashed or were cancelled not long ago, and had a flow run."""
    query = select(Attempt).where(
        Attempt.ended_at > in_seconds(-seconds),
        Attempt.state.in_(["crashed", "cancelled"]),
        Attempt.flow_run_id.is_not(None),
    )
    return list(await session.scalars(query.order_by(Attempt.ended_at)))


async def last_signs(session: AsyncSession, run_ids: list[str]) -> dict[str, datetime]:
    """When the workers of runs were last heard of."""
    heard = func.greatest(Run.heartbeat_at, Attempt.started_at, Attempt.created_at)
    query = (
        select(Run.id, heard)
        .join(Attempt, (Attempt.run_id == Run.id) & (Attempt.number == Run.attempt))
        .where(Run.id.in_(run_ids))
    )
    return {row[0]: row[1] for row in await session.execute(query)}
