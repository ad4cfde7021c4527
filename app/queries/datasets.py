"""SQL of dataset versions."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import DatasetVersion


async def latest_versions(session: AsyncSession, after: str | None, limit: int) -> list[DatasetVersion]:
    """The latest version of each name that is not deleted, by name."""
    query = (
        select(DatasetVersion)
        .where(DatasetVersion.deleted_at.is_(None))
        .distinct(DatasetVersion.name)
        .order_by(DatasetVersion.name, DatasetVersion.version.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(DatasetVersion.name > after)
    return list(await session.scalars(query))


async def versions(session: AsyncSession, name: str, before: int | None, limit: int) -> list[DatasetVersion]:
    """Versions of one name that are not deleted, the newest first."""
    mine = (DatasetVersion.name == name, DatasetVersion.deleted_at.is_(None))
    query = select(DatasetVersion).where(*mine).order_by(DatasetVersion.version.desc())
    if before is not None:
        query = query.where(DatasetVersion.version < before)
    return list(await session.scalars(query.limit(limit)))


async def version(session: AsyncSession, digest: str) -> DatasetVersion | None:
    """The version with this digest."""
    return await session.get(DatasetVersion, digest)
