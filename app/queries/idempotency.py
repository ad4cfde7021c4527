"""SQL of idempotency keys and leases."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import IdempotencyKey, Lease
from app.queries.runs import in_seconds


async def claim(
    session: AsyncSession, principal: str, key: str, request_hash: str, stale_seconds: float
) -> tuple[IdempotencyKey, bool]:
    """The key's row, and whether it is ours to answer: it is new, or its first request died on the way."""
    statement = insert(IdempotencyKey).values(principal=principal, key=key, request_hash=request_hash)
    stale = IdempotencyKey.status.is_(None) & (IdempotencyKey.created_at < in_seconds(-stale_seconds))
    statement = statement.on_conflict_do_update(
        index_elements=["principal", "key"],
        set_={"created_at": func.clock_timestamp()},
        where=stale & (IdempotencyKey.request_hash == request_hash),
    )
    mine: IdempotencyKey | None = await session.scalar(statement.returning(IdempotencyKey))
    if mine is not None:
        return mine, True
    query = select(IdempotencyKey).where(IdempotencyKey.principal == principal, IdempotencyKey.key == key)
    return (await session.scalars(query)).one(), False


async def finish(session: AsyncSession, claimed: IdempotencyKey, status: int, response: dict[str, Any]) -> bool:
    """Keep the answer. False: the claim was lost to another request."""
    change = update(IdempotencyKey).where(*_is(claimed)).values(status=status, response=response)
    return await session.scalar(change.returning(IdempotencyKey.key)) is not None


async def release(session: AsyncSession, claimed: IdempotencyKey) -> None:
    """Give the key free: the request failed and had no effect."""
    await session.execute(delete(IdempotencyKey).where(*_is(claimed)))


def _is(claimed: IdempotencyKey) -> tuple[Any, ...]:
    return (
        IdempotencyKey.principal == claimed.principal,
        IdempotencyKey.key == claimed.key,
        IdempotencyKey.created_at == claimed.created_at,
        IdempotencyKey.status.is_(None),
    )


async def forget_before(session: AsyncSession, seconds: float) -> None:
    """Drop keys that are older than so many seconds."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < in_seconds(-seconds)))


async def take_lease(session: AsyncSession, name: str, holder: str, seconds: float) -> datetime | None:
    """Take or renew a lease; until when it is ours, None: another has it."""
    until = in_seconds(seconds)
    statement = insert(Lease).values(name=name, holder=holder, expires_at=until)
    free = or_(Lease.expires_at < func.now(), Lease.holder == holder)
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={"holder": holder, "expires_at": until}, where=free
    )
    taken: datetime | None = await session.scalar(statement.returning(Lease.expires_at))
    return taken


async def give_lease_back(session: AsyncSession, name: str, holder: str) -> None:
    """Let another take it at once."""
    await session.execute(delete(Lease).where(Lease.name == name, Lease.holder == holder))


async def lock_name(session: AsyncSession, name: str) -> None:
    """Until the transaction ends nobody else has the lock of this name: for things that are kept elsewhere."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
