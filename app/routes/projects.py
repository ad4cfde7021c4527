"""Projects: what runs, datasets and labels belong to."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.access_schemas import ProjectChange, ProjectInfo, ProjectRequest
from app.routes.deps import IfMatch, SessionOf, require
from app.schemas import Page
from app.services import projects
from app.services.auth import Principal

router = APIRouter(prefix="/api/v1/projects", tags=["projects"])
Reader = Annotated[Principal, Depends(require("viewer", "worker"))]
Admin = Annotated[Principal, Depends(require("admin", everywhere=True))]


@router.get("", operation_id="list_projects", summary="Projects that the caller sees")
async def list_projects(caller: Reader, session: SessionOf) -> Page[ProjectInfo]:
    """By name, with the caller's role and the number of running runs."""
    return Page(items=await projects.list_projects(session, caller))


@router.post("", operation_id="create_project", summary="Make a project", status_code=201)
async def create_project(body: ProjectRequest, caller: Admin, session: SessionOf) -> ProjectInfo:
    """409 when there is one of this name."""
    return await projects.create_project(session, body, caller)


@router.get("/{project_id}", operation_id="get_project", summary="One project")
async def get_project(project_id: str, caller: Reader, session: SessionOf, response: Response) -> ProjectInfo:
    """Its `ETag` is needed to edit it."""
    found = await projects.get_project(session, project_id, caller)
    response.headers["ETag"] = projects.etag_of(found)
    return found


@router.patch("/{project_id}", operation_id="change_project", summary="Change a project")
async def change_project(
    project_id: str,
    body: ProjectChange,
    caller: Admin,
    session: SessionOf,
    response: Response,
    if_match: IfMatch = None,
) -> ProjectInfo:
    """What is left out stays. Runs above a new limit go on; none is added until there is a place.

    Needs `If-Match` (428 without): somebody may have edited it.
    """
    changed = await projects.change_project(session, project_id, if_match, body, caller)
    response.headers["ETag"] = projects.etag_of(changed)
    return changed


@router.delete("/{project_id}", operation_id="delete_project", summary="Delete an empty project", status_code=204)
async def delete_project(project_id: str, caller: Admin, session: SessionOf) -> None:
    """Roles and tokens in it end. 409 while runs or datasets belong to it."""
    await projects.delete_project(session, project_id)
