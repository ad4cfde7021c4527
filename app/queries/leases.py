"""SQL of leases: which process runs a background task."""

from datetime import timedelta

from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Lease


async def hold(session: AsyncSession, name: str, holder: str, seconds: float) -> bool:
    """Take the lease, or keep it. False while another process has it. Times are the database's."""
    expires_at = func.now() + timedelta(seconds=seconds)
    statement = insert(Lease).values(name=name, holder=holder, expires_at=expires_at)
    statement = statement.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={"holder": holder, "expires_at": expires_at},
        where=or_(Lease.holder == holder, Lease.expires_at < func.now()),
    )
    return await session.scalar(statement.returning(Lease.name)) is not None
