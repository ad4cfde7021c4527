"""SQL of webhooks."""

from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Webhook


async def add(session: AsyncSession, webhook: Webhook) -> None:
    """A new one."""
    session.add(webhook)
    await session.flush()
    await session.refresh(webhook)


async def count(session: AsyncSession) -> int:
    """How many there are."""
    return await session.scalar(select(func.count()).select_from(Webhook)) or 0


async def every(session: AsyncSession) -> list[Webhook]:
    """All, in the order in which they were made."""
    return list(await session.scalars(select(Webhook).order_by(Webhook.id)))


async def get(session: AsyncSession, webhook_id: str, lock: bool = False) -> Webhook | None:
    """One; with `lock` nobody else changes it until the transaction ends."""
    query = select(Webhook).where(Webhook.id == webhook_id).execution_options(populate_existing=True)
    found: Webhook | None = await session.scalar(query.with_for_update() if lock else query)
    return found


async def set_fields(session: AsyncSession, webhook_id: str, **values: Any) -> None:
    """Change it; its version counts up."""
    change = update(Webhook).where(Webhook.id == webhook_id)
    await session.execute(change.values(version=Webhook.version + 1, **values))


async def remove(session: AsyncSession, webhook_id: str) -> None:
    """Take it away with its deliveries."""
    await session.execute(delete(Webhook).where(Webhook.id == webhook_id))
