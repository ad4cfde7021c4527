"""SQL of the audit log."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import AuditEntry


async def add(session: AsyncSession, entry: AuditEntry) -> None:
    """Write a row. Rows are never changed."""
    session.add(entry)
    await session.flush()


async def page(
    session: AsyncSession,
    actor: str | None,
    actions: Sequence[str],
    target: str | None,
    since: datetime | None,
    before: int | None,
    limit: int,
) -> list[AuditEntry]:
    """Rows with id < `before`, the newest first."""
    query = select(AuditEntry)
    if actor is not None:
        query = query.where(AuditEntry.actor == actor)
    if actions:
        query = query.where(AuditEntry.action.in_(actions))
    if target is not None:
        query = query.where(AuditEntry.target == target)
    if since is not None:
        query = query.where(AuditEntry.time >= since)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return list(await session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit)))
