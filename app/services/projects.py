"""Projects, and the places that each has for running runs."""

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access_schemas import ProjectChange, ProjectInfo, ProjectRequest
from app.db import SCOPE
from app.models import Project, Run
from app.models.projects import DEFAULT_PROJECT
from app.queries import projects, runs
from app.services import audit, etags
from app.services.auth import EVERYWHERE, Principal
from app.services.problems import conflict, invalid, not_found

WAITING = "waiting for a place:"
"""How the reason begins of a run whose project has no place for it."""


async def list_projects(session: AsyncSession, caller: Principal) -> list[ProjectInfo]:
    """Projects that the caller sees, with its role in each."""
    found = await projects.visible(session, caller.reach("viewer", "worker"))
    return [_show(row, running, active, caller) for row, running, active in found]


async def get_project(session: AsyncSession, project: str, caller: Principal) -> ProjectInfo:
    """One that the caller sees. Raises a 404 problem."""
    found = next((one for one in await list_projects(session, caller) if one.id == project), None)
    if found is None:
        raise not_found("project", project)
    return found


def etag_of(project: Project | ProjectInfo) -> str:
    """Changes with all that can be edited."""
    return etags.make(
        project.id, project.description, project.max_running, project.max_running_by_pool, project.max_active
    )


async def create_project(session: AsyncSession, request: ProjectRequest, caller: Principal) -> ProjectInfo:
    """A new project. Raises a 409 problem when there is one of this name."""
    if await projects.by_id(session, request.id) is not None:
        raise conflict("name-taken", f"There is a project {request.id!r} already.")
    row = Project(**request.model_dump(), created_by=caller.name)
    await projects.add(session, row)
    await audit.record(session, "project.create", row.id, after=request.model_dump(mode="json"), project=row.id)
    return _show(row, 0, 0, caller)


async def change_project(
    session: AsyncSession, project: str, etag: str | None, request: ProjectChange, caller: Principal
) -> ProjectInfo:
    """Change what is given, and nothing else. Raises problems: 404, 412 when changed since `etag`, 428 without."""
    row = await _get(session, project)
    etags.match(etag_of(row), etag)
    changes = request.changes()
    before = {name: getattr(row, name) for name in changes}
    for name, value in changes.items():
        setattr(row, name, value)
    await session.flush()
    await audit.record(session, "project.change", project, before, changes, project=project)
    counts = await projects.num_running(session, project), await projects.num_active(session, project)
    return _show(row, *counts, caller)


async def delete_project(session: AsyncSession, project: str) -> None:
    """Delete a project that nothing belongs to; roles and tokens in it end. Raises problems: 404, 409."""
    row = await _get(session, project)
    if project == DEFAULT_PROJECT:
        raise conflict("project-in-use", f"The project {DEFAULT_PROJECT} stays: it takes what has no other project.")
    try:
        await session.delete(row)
        await session.flush()
    except IntegrityError as error:
        raise conflict("project-in-use", f"Runs or datasets belong to {project!r}: delete them first.") from error
    await audit.record(session, "project.delete", project, {"description": row.description}, project=project)


async def project_of_launch(session: AsyncSession, retry_of: str | None) -> str:
    """Where the caller's new run belongs: with the run that it retries, else the caller's only project, else
    `default`. Raises a 422 problem."""
    if retried := await runs.get(session, retry_of) if retry_of else None:
        return retried.project
    visible = SCOPE.get()
    project = next(iter(visible)) if visible and len(visible) == 1 else DEFAULT_PROJECT
    if visible is not None and project not in visible:
        message = f"one of {', '.join(sorted(visible))}"
        raise invalid("In which project?", [{"pointer": "/query/project", "message": message}])
    if await projects.by_id(session, project) is None:
        raise invalid("Unknown project.", [{"pointer": "/query/project", "message": f"there is no {project!r}"}])
    return project


async def check_quota(session: AsyncSession, project: str) -> None:
    """May the project have one more run? From here on launches of it wait for one another. Raises a 409 problem.

    For runs without a parent: one that has begun always gets the runs that it makes.
    """
    row = await projects.by_id(session, project)
    if row is None or row.max_active is None:
        return
    row = await projects.by_id(session, project, lock=True)
    active = await projects.num_active(session, project)
    if row and row.max_active is not None and active >= row.max_active:
        raise conflict(
            "quota-full",
            f"{active} runs of the project {project!r} wait or run, as many as it may have. Launch again when some "
            f"have ended, cancel some, or have an admin raise it: `headrace projects set {project} --max-active N`.",
        )


async def take_place(session: AsyncSession, run: Run) -> str | None:
    """A place of its project for the present attempt of a locked run; None: it has one, else why it waits.

    Runs that make runs take none, so that their children find one.
    """
    if run.placed_at is not None:
        return None
    if run.pool != projects.CONTROL:
        project = await projects.by_id(session, run.project, lock=True)
        limits = [(None, project.max_running), (run.pool, project.max_running_by_pool.get(run.pool))] if project else []
        for pool, limit in limits:
            if limit is None:
                continue
            running = await projects.num_running(session, run.project, pool)
            ahead = await projects.num_ahead(session, run)
            if running + ahead >= limit:
                where = f" in the pool {pool}" if pool else ""
                turn = f", {ahead} wait before it" if ahead else ""
                return f"{WAITING} {running} of at most {limit} runs of {run.project} are running{where}{turn}"
    run.placed_at = func.now()
    await session.flush()
    return None


async def _get(session: AsyncSession, project: str) -> Project:
    row = await projects.by_id(session, project, lock=True)
    if row is None:
        raise not_found("project", project)
    return row


def _show(row: Project, num_running: int, num_active: int, caller: Principal) -> ProjectInfo:
    return ProjectInfo(
        id=row.id,
        description=row.description,
        max_running=row.max_running,
        max_running_by_pool=row.max_running_by_pool,
        max_active=row.max_active,
        num_running=num_running,
        num_active=num_active,
        role=caller.roles.get(row.id) or caller.roles[EVERYWHERE],
        created_at=row.created_at,
    )
