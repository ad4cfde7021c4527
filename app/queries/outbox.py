"""The outbox to MLflow: entries are written with the change itself, and taken in their order within a run.

Kinds and payloads:
- `run`       {}: the run exists; its row says what it is.
- `metrics`   {"columns": [{"key", "branch", "steps": [...], "values": [...], "times": [...]}]}: headline series.
- `artifact`  {"digest", "kind", "name"}: an artifact was committed.
- `summary`   {}: final figures stand in the run's row.
- `state`     {"state": ...}: the run changed its state.
- `delete`    {"kind", "mlflow_run_id"}: the run was deleted; all else that was to be told of it is dropped.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.models import Artifact, OutboxEntry, Run

Kind = Literal["run", "metrics", "artifact", "summary", "state", "delete"]


async def append(session: AsyncSession, run_id: str, kind: Kind, payload: dict[str, Any] | None = None) -> None:
    """Add an entry in the transaction of the change that it tells of."""
    session.add(OutboxEntry(run_id=run_id, kind=kind, payload=payload or {}))
    await session.flush()


async def replace_by_deletion(session: AsyncSession, run: Run) -> None:
    """Tell MLflow of nothing but that the run is gone."""
    await session.execute(delete(OutboxEntry).where(OutboxEntry.run_id == run.id))
    await append(session, run.id, "delete", {"kind": run.kind, "mlflow_run_id": run.mlflow_run_id})


async def next_runs(session: AsyncSession, limit: int) -> list[str]:
    """Runs whose first entry is due, the longest waiting first."""
    earlier = aliased(OutboxEntry)
    is_first = ~exists().where(earlier.run_id == OutboxEntry.run_id, earlier.id < OutboxEntry.id)
    query = (
        select(OutboxEntry.run_id)
        .where(OutboxEntry.not_before <= func.now(), is_first)
        .order_by(OutboxEntry.id)
        .limit(limit)
    )
    return list(await session.scalars(query))


async def entries(session: AsyncSession, run_id: str, limit: int) -> list[OutboxEntry]:
    """The first entries of a run, in order."""
    query = select(OutboxEntry).where(OutboxEntry.run_id == run_id).order_by(OutboxEntry.id).limit(limit)
    return list(await session.scalars(query))


async def remove(session: AsyncSession, ids: Iterable[int]) -> None:
    """Entries that MLflow has."""
    await session.execute(delete(OutboxEntry).where(OutboxEntry.id.in_(list(ids))))


async def postpone(session: AsyncSession, entry_id: int, seconds: float, error: str) -> None:
    """Try the entry (and with it its run) again later."""
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    change = update(OutboxEntry).where(OutboxEntry.id == entry_id)
    await session.execute(change.values(tries=OutboxEntry.tries + 1, not_before=due, error=error[:2000]))


async def backlog(session: AsyncSession) -> tuple[int, str | None]:
    """Number of entries that wait, and the error of the one that waits longest after one."""
    count = await session.scalar(select(func.count()).select_from(OutboxEntry))
    failed = select(OutboxEntry.error).where(OutboxEntry.error.is_not(None)).order_by(OutboxEntry.id).limit(1)
    return count or 0, await session.scalar(failed)


async def run_row(session: AsyncSession, run_id: str) -> Run | None:
    """The run that entries tell of."""
    return await session.get(Run, run_id)


async def parent_mlflow_id(session: AsyncSession, run: Run) -> str | None:
    """MLflow's id of the parent run, where there is one."""
    if run.parent_id is None:
        return None
    return await session.scalar(select(Run.mlflow_run_id).where(Run.id == run.parent_id))


async def link_run(session: AsyncSession, run_id: str, experiment_id: str, mlflow_run_id: str) -> None:
    """Keep MLflow's ids on the run."""
    change = update(Run).where(Run.id == run_id)
    await session.execute(change.values(mlflow_experiment_id=experiment_id, mlflow_run_id=mlflow_run_id))


async def artifact(session: AsyncSession, run_id: str, digest: str) -> Artifact | None:
    """A committed artifact of a run."""
    query = select(Artifact).where(Artifact.run_id == run_id, Artifact.digest == digest).limit(1)
    found: Artifact | None = await session.scalar(query)
    return found
