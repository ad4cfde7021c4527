"""SQL of dataset versions."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import DatasetVersion


async def latest_versions(session: AsyncSession, after: str | None, limit: int) -> list[DatasetVersion]:
    """The latest version of each name, by name."""
    query = (
        select(DatasetVersion)
        .distinct(DatasetVersion.name)
        .order_by(DatasetVersion.name, DatasetVersion.version.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(DatasetVersion.name > after)
    return list(await session.scalars(query))


async def versions(session: AsyncSession, name: str, before: int | None, limit: int) -> list[DatasetVersion]:
    """Versions of one name, the newest first."""
    query = select(DatasetVersion).where(DatasetVersion.name == name).order_by(DatasetVersion.version.desc())
    if before is not None:
        query = query.where(DatasetVersion.version < before)
    return list(await session.scalars(query.limit(limit)))


async def version(session: AsyncSession, digest: str) -> DatasetVersion | None:
    """The version with this digest."""
    return await session.get(DatasetVersion, digest)
