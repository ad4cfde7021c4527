"""SQL of dataset versions."""

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import DatasetVersion


async def latest_versions(session: AsyncSession, after: tuple[str, str] | None, limit: int) -> list[DatasetVersion]:
    """The latest version of each name that is not deleted, by name and project."""
    query = (
        select(DatasetVersion)
        .where(DatasetVersion.deleted_at.is_(None))
        .distinct(DatasetVersion.name, DatasetVersion.project)
        .order_by(DatasetVersion.name, DatasetVersion.project, DatasetVersion.version.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(DatasetVersion.name, DatasetVersion.project) > after)
    return list(await session.scalars(query))


async def versions(
    session: AsyncSession, name: str, before: tuple[int, str] | None, limit: int
) -> list[DatasetVersion]:
    """Versions of one name that are not deleted, the newest first."""
    mine = (DatasetVersion.name == name, DatasetVersion.deleted_at.is_(None))
    query = select(DatasetVersion).where(*mine)
    if before is not None:
        query = query.where(tuple_(DatasetVersion.version, DatasetVersion.project) < before)
    query = query.order_by(DatasetVersion.version.desc(), DatasetVersion.project.desc())
    return list(await session.scalars(query.limit(limit)))


async def version(session: AsyncSession, digest: str) -> DatasetVersion | None:
    """The version with this digest; the oldest, where several projects of the caller have one."""
    query = select(DatasetVersion).where(DatasetVersion.digest == digest).order_by(DatasetVersion.created_at).limit(1)
    found: DatasetVersion | None = await session.scalar(query)
    return found
