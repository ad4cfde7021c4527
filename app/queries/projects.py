"""SQL of projects, and of the places that their running runs take."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Project, Run
from app.models.runs import ACTIVE_STATES, PRIORITIES

CONTROL = "control"
"""Pool of runs that make runs: they take no place, so that their children find one."""


async def by_id(session: AsyncSession, project: str, lock: bool = False) -> Project | None:
    """The project; locked until the transaction ends, where wanted."""
    query = select(Project).where(Project.id == project)
    found: Project | None = await session.scalar(query.with_for_update(key_share=True) if lock else query)
    return found


async def known(session: AsyncSession, projects: Collection[str]) -> set[str]:
    """Those of these projects that exist."""
    return set(await session.scalars(select(Project.id).where(Project.id.in_(projects))))


async def visible(session: AsyncSession, projects: Collection[str] | None) -> list[tuple[Project, int, int]]:
    """These projects (None: all) by name, each with the numbers of its running and of its active runs."""
    counts = select(
        Run.project, func.count().filter(*_holding()).label("running"), func.count().filter(*_rooted()).label("active")
    )
    found = counts.where(Run.state.in_(ACTIVE_STATES)).group_by(Run.project).subquery()
    query = select(Project, func.coalesce(found.c.running, 0), func.coalesce(found.c.active, 0))
    query = query.outerjoin(found, found.c.project == Project.id)
    if projects is not None:
        query = query.where(Project.id.in_(projects))
    return [(row[0], row[1], row[2]) for row in await session.execute(query.order_by(Project.id))]


async def add(session: AsyncSession, project: Project) -> None:
    """Keep a new project."""
    session.add(project)
    await session.flush()
    await session.refresh(project)


async def num_running(session: AsyncSession, project: str, pool: str | None = None) -> int:
    """Runs of the project that hold a place (in this pool)."""
    query = select(func.count()).select_from(Run).where(Run.project == project, *_holding())
    return (await session.scalar(query if pool is None else query.where(Run.pool == pool))) or 0


async def num_active(session: AsyncSession, project: str) -> int:
    """Runs of the project that wait or run, without those that other runs made."""
    query = select(func.count()).select_from(Run).where(Run.project == project, *_rooted())
    return (await session.scalar(query)) or 0


async def num_ahead(session: AsyncSession, run: Run) -> int:
    """Runs of the same project and pool that wait for a place and come before this one: by priority, then by age."""
    rank = case({priority: -number for number, priority in enumerate(PRIORITIES)}, value=Run.priority)
    query = select(func.count()).select_from(Run)
    waiting = (Run.project == run.project, Run.pool == run.pool, Run.state == "queued", Run.placed_at.is_(None))
    return (
        await session.scalar(query.where(*waiting, tuple_(rank, Run.id) < (-PRIORITIES.index(run.priority), run.id)))
    ) or 0


def _holding() -> tuple[ColumnElement[bool], ...]:
    return (Run.placed_at.is_not(None), Run.state.in_(ACTIVE_STATES), Run.pool != CONTROL)


def _rooted() -> tuple[ColumnElement[bool], ...]:
    return (Run.parent_id.is_(None), Run.state.in_(ACTIVE_STATES))
