"""SQL of notices and deliveries."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Delivery, Finding, Intervention, Notice, Webhook, new_id
from app.queries.runs import in_seconds


async def add(
    session: AsyncSession, kind: str, subject: str, data: dict[str, Any], run_id: str | None = None
) -> Notice:
    """A notice, in the transaction of the change that it tells of."""
    notice = Notice(id=new_id(), kind=kind, subject=subject[:1000], data=data, run_id=run_id)
    session.add(notice)
    await session.flush()
    return notice


async def is_known(session: AsyncSession, subject: str) -> bool:
    """Was this told, however long ago?"""
    return await session.scalar(select(Notice.id).where(Notice.subject == subject).limit(1)) is not None


async def known_findings(session: AsyncSession, run_id: str, ids: list[str]) -> set[str]:
    """Those of the findings that the run has already."""
    query = select(Finding.id).where(Finding.run_id == run_id, Finding.id.in_(ids))
    return set(await session.scalars(query))


async def known_outcomes(session: AsyncSession, run_id: str, ids: list[str]) -> dict[str, str]:
    """Outcomes of the interventions that the run has already."""
    query = select(Intervention.id, Intervention.outcome).where(Intervention.run_id == run_id, Intervention.id.in_(ids))
    return {row[0]: row[1] for row in await session.execute(query)}


async def untold(session: AsyncSession, limit: int) -> list[Notice]:
    """Notices that nobody has looked at, the oldest first."""
    query = select(Notice).where(Notice.handed_out_at.is_(None)).order_by(Notice.id).limit(limit)
    return list(await session.scalars(query))


async def told_before(session: AsyncSession, notice: Notice, seconds: float) -> str | None:
    """Id of the notice that told the same subject within so many seconds before this one."""
    query = select(Notice.id).where(
        Notice.subject == notice.subject,
        Notice.kind == notice.kind,
        Notice.id != notice.id,
        Notice.handed_out_at.is_not(None),
        Notice.repeats.is_(None),
        Notice.created_at > notice.created_at - func.make_interval(0, 0, 0, 0, 0, 0, seconds),
    )
    found: str | None = await session.scalar(query.order_by(Notice.created_at.desc()).limit(1))
    return found


async def hand_out(session: AsyncSession, notice: Notice, webhooks: list[str], mail: bool, repeats: str | None) -> None:
    """Make its deliveries, or note that it repeats another."""
    notice.repeats, notice.handed_out_at = repeats, func.now()
    targets: list[str | None] = [*webhooks, *([None] if mail else [])]
    session.add_all(Delivery(notice_id=notice.id, webhook_id=target) for target in targets)
    await session.flush()


async def add_delivery(session: AsyncSession, notice: Notice, webhook_id: str) -> Delivery:
    """One delivery of a notice that is for one webhook alone."""
    notice.handed_out_at = func.now()
    delivery = Delivery(notice_id=notice.id, webhook_id=webhook_id)
    session.add(delivery)
    await session.flush()
    await session.refresh(delivery)
    await session.refresh(notice)
    return delivery


async def claim(session: AsyncSession, limit: int, seconds: float) -> list[tuple[Delivery, Notice, Webhook | None]]:
    """Deliveries that are due, with what they need. They are not due again before so many seconds are over, so that
    one whose sender dies in between is tried again."""
    due = (
        select(Delivery.id)
        .where(Delivery.state == "pending", Delivery.not_before <= func.now())
        .order_by(Delivery.not_before, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(await session.scalars(due))
    if not ids:
        return []
    await session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(not_before=in_seconds(seconds)))
    return await _joined(session, ids)


async def one(session: AsyncSession, delivery_id: int) -> tuple[Delivery, Notice, Webhook | None] | None:
    """A delivery with what it needs."""
    return next(iter(await _joined(session, [delivery_id])), None)


async def _joined(session: AsyncSession, ids: list[int]) -> list[tuple[Delivery, Notice, Webhook | None]]:
    query = (
        select(Delivery, Notice, Webhook)
        .join(Notice, Notice.id == Delivery.notice_id)
        .outerjoin(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.id.in_(ids))
        .order_by(Delivery.id)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def record(session: AsyncSession, delivery_id: int, seconds_until_next: float | None, **values: Any) -> None:
    """How a try went; with `seconds_until_next` there will be another."""
    values |= {"tries": Delivery.tries + 1, "tried_at": func.now()}
    if seconds_until_next is not None:
        values["not_before"] = in_seconds(seconds_until_next)
    await session.execute(update(Delivery).where(Delivery.id == delivery_id).values(**values))


async def send_again(session: AsyncSession, delivery_id: int, webhook_id: str) -> bool:
    """Make a delivery of a webhook due now, with all its tries before it. False: there is none."""
    change = update(Delivery).where(Delivery.id == delivery_id, Delivery.webhook_id == webhook_id)
    values = change.values(state="pending", tries=0, not_before=func.now()).returning(Delivery.id)
    return await session.scalar(values) is not None


async def deliveries(
    session: AsyncSession, webhook_id: str, before: int | None, limit: int
) -> list[tuple[Delivery, str]]:
    """Deliveries of a webhook with the kind of what they tell, the newest first."""
    query = select(Delivery, Notice.kind).join(Notice, Notice.id == Delivery.notice_id)
    query = query.where(Delivery.webhook_id == webhook_id)
    if before is not None:
        query = query.where(Delivery.id < before)
    rows = await session.execute(query.order_by(Delivery.id.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]


async def page(session: AsyncSession, after: tuple[datetime, str] | None, limit: int) -> list[Notice]:
    """Notices, the newest first."""
    query = select(Notice)
    if after is not None:
        query = query.where(tuple_(Notice.created_at, Notice.id) < after)
    return list(await session.scalars(query.order_by(Notice.created_at.desc(), Notice.id.desc()).limit(limit)))


async def forget_before(session: AsyncSession, seconds: float) -> None:
    """Drop notices, with their deliveries, that are older than so many seconds."""
    await session.execute(delete(Notice).where(Notice.created_at < in_seconds(-seconds)))
