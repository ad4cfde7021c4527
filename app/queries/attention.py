"""SQL of what waits for a person, over all runs."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Finding, Intervention, Run
from workers.specs.events import RunState

_LIVE = (RunState.RUNNING, RunState.PAUSED)


async def proposed(session: AsyncSession, limit: int) -> list[tuple[Intervention, Run]]:
    """Interventions that live runs propose and nobody has answered, the newest first."""
    query = (
        select(Intervention, Run)
        .join(Run, Run.id == Intervention.run_id)
        .where(Intervention.outcome == "proposed", Run.state.in_(_LIVE))
        .order_by(Intervention.time.desc(), Intervention.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def unseen(session: AsyncSession, since: datetime, limit: int) -> list[tuple[Finding, Run]]:
    """Findings since then that nobody has acknowledged, the newest first; what is merely told is left out."""
    query = (
        select(Finding, Run)
        .join(Run, Run.id == Finding.run_id)
        .where(Finding.acknowledged_at.is_(None), Finding.severity != "info", Finding.time >= since)
        .order_by(Finding.time.desc(), Finding.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def finding(session: AsyncSession, run_id: str, finding_id: str) -> Finding | None:
    """A finding, locked until the transaction ends."""
    return await session.get(Finding, (run_id, finding_id), with_for_update=True)
