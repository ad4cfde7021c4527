"""SQL of runs and their attempts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.models import Artifact, Attempt, Run
from app.models.runs import ACTIVE_STATES

SORT_FIELDS: dict[str, Any] = {"created_at": Run.created_at, "name": Run.name, "state": Run.state, "kind": Run.kind}


async def get(session: AsyncSession, run_id: str) -> Run | None:
    """The run as it is now."""
    found: Run | None = await session.scalar(select(Run).where(Run.id == run_id, Run.deleted_at.is_(None)))
    return found


async def lock(session: AsyncSession, run_id: str) -> Run | None:
    """The run, locked until the transaction ends: all changes of one run stand in one row of time."""
    query = select(Run).where(Run.id == run_id, Run.deleted_at.is_(None)).with_for_update(key_share=True)
    found: Run | None = await session.scalar(query.execution_options(populate_existing=True))
    return found


async def add(session: AsyncSession, run: Run) -> None:
    """A new run with its first attempt."""
    session.add(run)
    await session.flush()
    await add_attempt(session, run)
    await session.refresh(run)


async def add_attempt(session: AsyncSession, run: Run) -> None:
    """The row of the run's present attempt."""
    session.add(Attempt(run_id=run.id, number=run.attempt))
    await session.flush()


async def set_attempt(session: AsyncSession, run: Run, **values: Any) -> None:
    """Change the row of the run's present attempt."""
    change = update(Attempt).where(Attempt.run_id == run.id, Attempt.number == run.attempt)
    await session.execute(change.values(**values))


async def page(
    session: AsyncSession,
    filters: dict[str, Any],
    sort: str,
    descending: bool,
    after: tuple[Any, str] | None,
    limit: int,
) -> list[Run]:
    """Runs in the order of (sort field, id), beginning after the given place. Specs are not loaded."""
    column = SORT_FIELDS[sort]
    query = select(Run).options(defer(Run.spec)).where(*_conditions(filters))
    if after is not None:
        place = tuple_(literal(after[0], column.type), literal(after[1]))
        here = tuple_(column, Run.id)
        query = query.where(here < place if descending else here > place)
    order = (column.desc(), Run.id.desc()) if descending else (column.asc(), Run.id.asc())
    return list(await session.scalars(query.order_by(*order).limit(limit)))


def _conditions(filters: dict[str, Any]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Run.deleted_at.is_(None)]
    if filters.get("kind"):
        conditions.append(Run.kind.in_(filters["kind"]))
    if filters.get("state"):
        conditions.append(Run.state.in_(filters["state"]))
    if filters.get("q"):
        conditions.append(Run.name.icontains(filters["q"], autoescape=True))
    if filters.get("parent_id"):
        conditions.append(Run.parent_id == filters["parent_id"])
    if filters.get("roots"):
        conditions.append(Run.parent_id.is_(None))
    if filters.get("tag"):
        conditions.append(Run.tags.contains(filters["tag"]))
    return conditions


async def children(session: AsyncSession, run_id: str) -> list[Run]:
    """Child runs in the order of their making."""
    query = select(Run).options(defer(Run.spec)).where(Run.parent_id == run_id, Run.deleted_at.is_(None))
    return list(await session.scalars(query.order_by(Run.created_at, Run.id)))


async def child_of_stage(session: AsyncSession, run_id: str, stage: str) -> Run | None:
    """The newest child that was made for a stage."""
    query = select(Run).where(Run.parent_id == run_id, Run.stage == stage, Run.deleted_at.is_(None))
    found: Run | None = await session.scalar(query.order_by(Run.created_at.desc(), Run.id.desc()).limit(1))
    return found


async def artifacts(session: AsyncSession, run_id: str, kind: str | None = None) -> list[Artifact]:
    """Artifacts in the order in which they were committed."""
    query = select(Artifact).where(Artifact.run_id == run_id).order_by(Artifact.committed_at, Artifact.id)
    return list(await session.scalars(query.where(Artifact.kind == kind) if kind else query))


async def claim_unsubmitted(session: AsyncSession, seconds: float, limit: int) -> Sequence[str]:
    """Queued runs that nobody has handed to Prefect; ours for `seconds`."""
    found = (
        select(Run.id)
        .where(Run.state == "queued", Run.prefect_flow_run_id.is_(None), Run.submit_after <= func.now())
        .order_by(Run.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claim = update(Run).where(Run.id.in_(found)).values(submit_after=in_seconds(seconds)).returning(Run.id)
    return (await session.scalars(claim)).all()


async def active(session: AsyncSession) -> list[Run]:
    """Runs that have not ended, without their specs."""
    query = select(Run).options(defer(Run.spec)).where(Run.state.in_(ACTIVE_STATES)).order_by(Run.id)
    return list(await session.scalars(query))


async def orphans(session: AsyncSession) -> Sequence[str]:
    """Runs that go on although their parent has ended, or is being cancelled."""
    parent = select(Run.id).where(Run.state.not_in(["queued", "running", "paused"])).scalar_subquery()
    query = select(Run.id).where(
        Run.parent_id.in_(parent), Run.state.in_(["queued", "running", "paused"]), Run.parent_id.is_not(None)
    )
    return (await session.scalars(query)).all()


async def active_children(session: AsyncSession, run_id: str) -> Sequence[str]:
    """Children that have not ended and are not being cancelled."""
    query = select(Run.id).where(Run.parent_id == run_id, Run.state.in_(["queued", "running", "paused"]))
    return (await session.scalars(query.order_by(Run.id))).all()


async def clock(session: AsyncSession) -> datetime:
    """The database's time: the only clock by which silence is judged."""
    found: Select[tuple[datetime]] = select(func.clock_timestamp())
    return (await session.scalars(found)).one()


def in_seconds(seconds: float) -> ColumnElement[datetime]:
    """A moment so many seconds from now, on the database's clock."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
