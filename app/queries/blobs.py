"""SQL of blobs: which artifacts name them, and which of them garbage collection has taken.

Every check against artifacts stands under one advisory lock: those who record an artifact share it, those who delete
blobs hold it alone. So no artifact becomes real between the look and the deletion.
"""

from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import CollectedBlob, DatasetVersion, Run
from app.models.runs import ACTIVE_STATES

_LOCK = 7_341_002
_REFERENCES = text("""
    WITH gone AS (
        SELECT digest FROM dataset_versions WHERE deleted_at IS NOT NULL
        UNION
        SELECT lineage->>'documents' FROM dataset_versions WHERE deleted_at IS NOT NULL
        EXCEPT
        SELECT lineage->>'documents' FROM dataset_versions WHERE deleted_at IS NULL
    ), live AS (
        SELECT digest, files FROM dataset_versions WHERE deleted_at IS NULL
        UNION ALL
        SELECT digest, files FROM artifacts a WHERE NOT EXISTS (SELECT 1 FROM gone g WHERE g.digest = a.digest)
    ), named AS (
        SELECT DISTINCT file->>'sha256' AS sha256, digest FROM live, jsonb_array_elements(files) AS file
        UNION
        SELECT substr(digest, 8), digest FROM live
    )
    SELECT sha256, count(*) AS uses FROM named WHERE sha256 = ANY(:sha256s) GROUP BY sha256
""")


async def share(session: AsyncSession) -> None:
    """Nothing is collected until this transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _LOCK})


async def exclude(session: AsyncSession) -> None:
    """No artifact is recorded until this transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def references(session: AsyncSession, sha256s: list[str]) -> dict[str, int]:
    """How many artifacts name each of these blobs, for those that any names.

    A deleted dataset version names nothing, nor do the documents that it alone was made from.
    """
    rows = await session.execute(_REFERENCES, {"sha256s": sha256s})
    return {row.sha256: row.uses for row in rows}


async def oldest_active_start(session: AsyncSession) -> datetime | None:
    """When the run that has been running longest began."""
    found: datetime | None = await session.scalar(select(func.min(Run.started_at)).where(Run.state.in_(ACTIVE_STATES)))
    return found


_COLLECT = text("""
    INSERT INTO collected_blobs (sha256) SELECT unnest(CAST(:sha256s AS text[]))
    ON CONFLICT (sha256) DO UPDATE SET collected_at = clock_timestamp(), deleted_at = NULL
""")
_COLLECTED = text("SELECT sha256, deleted_at FROM collected_blobs WHERE sha256 = ANY(:sha256s)")
_DELETED = text("UPDATE collected_blobs SET deleted_at = clock_timestamp() WHERE sha256 = ANY(:sha256s)")
_SPARE = text("DELETE FROM collected_blobs WHERE sha256 = ANY(:sha256s)")


async def collect(session: AsyncSession, sha256s: list[str]) -> None:
    """Note that these blobs are about to be deleted."""
    await session.execute(_COLLECT, {"sha256s": sha256s})


async def collected(session: AsyncSession, sha256s: list[str]) -> dict[str, datetime | None]:
    """Those of these blobs that were taken, and when they were deleted (None: not yet)."""
    rows = await session.execute(_COLLECTED, {"sha256s": sha256s})
    return {row.sha256: row.deleted_at for row in rows}


async def waiting(session: AsyncSession, limit: int) -> list[str]:
    """Blobs that were taken and not deleted: a collection ended in the middle."""
    query = select(CollectedBlob.sha256).where(CollectedBlob.deleted_at.is_(None)).limit(limit)
    return list(await session.scalars(query))


async def deleted(session: AsyncSession, sha256s: list[str]) -> None:
    """Note that these blobs are deleted."""
    await session.execute(_DELETED, {"sha256s": sha256s})


async def spare(session: AsyncSession, sha256s: list[str]) -> None:
    """These blobs are wanted after all, or there again."""
    await session.execute(_SPARE, {"sha256s": sha256s})


_USERS = text("""
    SELECT DISTINCT r.id, r.name FROM runs r
    WHERE r.state = ANY(:active) AND r.project = :project AND (
        position(:digest IN r.spec::text) > 0
        OR EXISTS (
            SELECT 1 FROM artifacts a JOIN runs maker ON maker.id = a.run_id
            WHERE a.digest = :digest AND (maker.id = r.id OR maker.parent_id = r.id)
        )
    )
    ORDER BY r.id LIMIT 5
""")


async def users(session: AsyncSession, project: str, digest: str) -> list[tuple[str, str]]:
    """Runs of the project that have not ended and use the artifact: (id, name), at most five.

    Their spec names it, or they or a child of theirs made it: a pipeline's next stage will want it.
    """
    rows = await session.execute(_USERS, {"active": ACTIVE_STATES, "project": project, "digest": digest})
    return [(row.id, row.name) for row in rows]


async def delete_version(session: AsyncSession, project: str, digest: str, author: str) -> None:
    """Delete a dataset version; its name, figures and lineage stay."""
    change = update(DatasetVersion).where(DatasetVersion.project == project, DatasetVersion.digest == digest)
    await session.execute(change.values(deleted_at=func.clock_timestamp(), deleted_by=author, files=[]))
