"""SQL of deleting runs: who still needs what a run made, and its rows, some thousands at a time."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.models import Operation, Run
from app.models.metrics import FACTOR_BITS, NUM_LEVELS
from app.models.runs import ACTIVE_STATES
from app.queries.runs import in_seconds

_MAX_POINTS = 100_000
_MAX_BUCKETS = 2_000
_MAX_ROWS = 20_000
_SPAN_BITS = FACTOR_BITS * NUM_LEVELS


async def lock_family(session: AsyncSession, run: Run) -> list[Run]:
    """The locked run with all that descends from it, locked too: parents before their children, as everywhere."""
    family, level = [run], [run.id]
    while level:
        query = select(Run).options(defer(Run.spec)).where(Run.parent_id.in_(level)).order_by(Run.id)
        found = list(await session.scalars(query.with_for_update(key_share=True)))
        family += found
        level = [child.id for child in found]
    return family


_OWN = """
    own AS (
        SELECT DISTINCT a.digest FROM artifacts a
        WHERE a.run_id = ANY(:ids)
            AND NOT EXISTS (SELECT 1 FROM artifacts o WHERE o.digest = a.digest AND o.run_id <> ALL(:ids))
    )
"""
_USERS = text(f"""
    WITH {_OWN}, users AS (
        SELECT id, name, kind, state, spec FROM runs
        WHERE project = :project AND id <> ALL(:ids) AND deleted_at IS NULL
            AND (state = ANY(:active) OR kind = 'release')
    )
    SELECT id, name, kind, true AS active FROM runs
    WHERE project = :project AND retry_of = ANY(:ids) AND id <> ALL(:ids) AND deleted_at IS NULL
        AND state = ANY(:active)
    UNION
    SELECT DISTINCT u.id, u.name, u.kind, u.state = ANY(:active) AS active
    FROM users u, regexp_matches(u.spec::text, 'sha256:[0-9a-f]{{64}}', 'g') AS named (digests), own
    WHERE own.digest = named.digests[1]
        AND (u.state = ANY(:active) OR EXISTS (SELECT 1 FROM artifacts r WHERE r.run_id = u.id AND r.kind = 'release'))
    ORDER BY id LIMIT 5
""")  # noqa: S608  our own text
_VERSIONS = text(f"""
    WITH {_OWN}
    SELECT DISTINCT v.name, v.version FROM dataset_versions v
    WHERE v.project = :project AND v.deleted_at IS NULL AND (
        v.digest IN (SELECT digest FROM own)
        OR EXISTS (
            SELECT 1 FROM regexp_matches(v.lineage::text, 'sha256:[0-9a-f]{{64}}', 'g') AS named (digests), own
            WHERE own.digest = named.digests[1]
        )
    )
    ORDER BY v.name, v.version LIMIT 5
""")  # noqa: S608  our own text


async def users(session: AsyncSession, project: str, ids: list[str]) -> list[tuple[str, str, str, bool]]:
    """Runs of the project that need what only these runs made: (id, name, kind, has not ended), at most five.

    Those are the runs that have not ended and name a digest of theirs or retry them, and releases that name one.
    """
    rows = await session.execute(_USERS, {"project": project, "ids": ids, "active": ACTIVE_STATES})
    return [(row.id, row.name, row.kind, row.active) for row in rows]


async def versions(session: AsyncSession, project: str, ids: list[str]) -> list[str]:
    """Dataset versions that are not deleted and are, or come from, what only these runs made: NAME@N, at most five."""
    rows = await session.execute(_VERSIONS, {"project": project, "ids": ids})
    return [f"{row.name}@{row.version}" for row in rows]


_BLOBS = text(f"""
    WITH {_OWN}
    SELECT DISTINCT file->>'sha256' FROM artifacts, jsonb_array_elements(files) AS file WHERE run_id = ANY(:ids)
    UNION
    SELECT substr(digest, 8) FROM own
""")  # noqa: S608  our own text


async def blobs(session: AsyncSession, ids: list[str]) -> list[str]:
    """SHA-256 of all that the artifacts of these runs name; others may name it too."""
    return sorted((await session.scalars(_BLOBS, {"ids": ids})).all())


async def hide(session: AsyncSession, ids: list[str]) -> None:
    """The runs are gone for everyone from now on."""
    await session.execute(update(Run).where(Run.id.in_(ids)).values(deleted_at=func.now()))


async def get_operation(session: AsyncSession, operation_id: str, lock: bool = False) -> Operation | None:
    """An operation; locked until the transaction ends, if asked for."""
    query = select(Operation).where(Operation.id == operation_id)
    found: Operation | None = await session.scalar(query.with_for_update() if lock else query)
    return found


async def open_operations(session: AsyncSession) -> Sequence[str]:
    """Operations that are not finished and due, the oldest first."""
    query = select(Operation.id).where(Operation.finished_at.is_(None), Operation.not_before <= func.now())
    return (await session.scalars(query.order_by(Operation.id))).all()


async def postpone(session: AsyncSession, operation_id: str, seconds: float) -> None:
    """Look at the operation again later."""
    change = update(Operation).where(Operation.id == operation_id)
    await session.execute(change.values(not_before=in_seconds(seconds)))


async def forget_operations(session: AsyncSession, seconds: float) -> None:
    """Drop operations that were finished so long ago."""
    await session.execute(delete(Operation).where(Operation.finished_at < in_seconds(-seconds)))


_BUCKETS = text(f"""
    SELECT r.series_id, r.bucket, r.count + r.nonfinite AS num_points
    FROM series s JOIN metric_rollups r ON r.series_id = s.id AND r.level = {NUM_LEVELS}
    WHERE s.run_id = :run_id
    ORDER BY r.series_id, r.bucket LIMIT {_MAX_BUCKETS}
""")  # noqa: S608  numbers of our own
_RANGES = "FROM unnest(CAST(:series_ids AS bigint[]), CAST(:buckets AS bigint[])) AS t (series_id, bucket)"
_POINTS = text(f"""
    DELETE FROM metrics AS m USING (SELECT * {_RANGES}) AS t
    WHERE m.series_id = t.series_id
        AND m.step >= t.bucket << {_SPAN_BITS} AND m.step < (t.bucket + 1) << {_SPAN_BITS}
""")  # noqa: S608  numbers of our own
_ROLLUPS = [
    text(f"""
    DELETE FROM metric_rollups AS m USING (SELECT * {_RANGES}) AS t
    WHERE m.series_id = t.series_id AND m.level = {level}
        AND m.bucket >= t.bucket << {bits} AND m.bucket < (t.bucket + 1) << {bits}
""")  # noqa: S608  numbers of our own
    for level, bits in ((level, FACTOR_BITS * (NUM_LEVELS - level)) for level in range(1, NUM_LEVELS + 1))
]
# ctid: no table here has one column that names a row, and rows of a deleted run are written no more
_ROWS = {
    "events": "run_id = :run_id",
    "evaluation_items": "evaluation_id IN (SELECT id FROM evaluations WHERE run_id = :run_id)",
    "ingest_batches": "run_id = :run_id",
}
_CHUNKS = [
    text(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {where} LIMIT {_MAX_ROWS}))")  # noqa: S608
    for table, where in _ROWS.items()
]


async def delete_points(session: AsyncSession, run_id: str) -> int:
    """Delete about a hundred thousand points of a run with their roll-ups; how many. 0: there are none left.

    The widest roll-up says where points are, so that no statement looks at more than it deletes.
    """
    series_ids: list[int] = []
    buckets: list[int] = []
    num_points = 0
    for row in await session.execute(_BUCKETS, {"run_id": run_id}):
        series_ids.append(row.series_id)
        buckets.append(row.bucket)
        num_points += row.num_points
        if num_points >= _MAX_POINTS:
            break
    if series_ids:
        for statement in (_POINTS, *_ROLLUPS):
            await session.execute(statement, {"series_ids": series_ids, "buckets": buckets})
    return num_points


async def delete_rows(session: AsyncSession, run_id: str) -> int:
    """Delete some thousands of the rows that a run may have many of; how many. 0: there are none left."""
    for statement in _CHUNKS:
        result = await session.execute(statement, {"run_id": run_id})
        if num_rows := int(getattr(result, "rowcount", 0)):
            return num_rows
    return 0


async def delete_run(session: AsyncSession, run_id: str) -> None:
    """Delete the run's row and the few that go with it."""
    await session.execute(delete(Run).where(Run.id == run_id))
