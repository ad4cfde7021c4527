"""SQL of projects, and of the places that their running runs take."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Project, Run
from app.models.runs import ACTIVE_STATES

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


async def visible(session: AsyncSession, projects: Collection[str] | None) -> list[tuple[Project, int]]:
    """These projects (None: all) by name, each with the number of its running runs."""
    places = select(Run.project, func.count().label("places")).where(*_holding()).group_by(Run.project).subquery()
    query = select(Project, func.coalesce(places.c.places, 0)).outerjoin(places, places.c.project == Project.id)
    if projects is not None:
        query = query.where(Project.id.in_(projects))
    return [(row[0], row[1]) for row in await session.execute(query.order_by(Project.id))]


async def add(session: AsyncSession, project: Project) -> None:
    """Keep a new project."""
    session.add(project)
    await session.flush()
    await session.refresh(project)


async def num_running(session: AsyncSession, project: str) -> int:
    """Runs of the project that hold a place."""
    return (await session.scalar(select(func.count()).select_from(Run).where(Run.project == project, *_holding()))) or 0


def _holding() -> tuple[ColumnElement[bool], ...]:
    return (Run.placed_at.is_not(None), Run.state.in_(ACTIVE_STATES), Run.pool != CONTROL)
