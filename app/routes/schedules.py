"""Schedules: launches at set times, kept by Prefect."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.routes.deps import DatabaseOf, IfMatch, require
from app.routes.runs import Key
from app.schedule_schemas import RunNow, Schedule, ScheduleChange, ScheduleRequest, TimingPreview, TimingRequest
from app.schemas import Page
from app.services import idempotency, schedules
from app.services.auth import Principal
from app.services.prefect_schedules import PrefectSchedules

router = APIRouter(prefix="/api/v1/schedules", tags=["schedules"])
readable = [Depends(require("viewer"))]
Operator = Annotated[Principal, Depends(require("operator"))]
NamePath = Annotated[str, Path(max_length=200, description="Name of the schedule.")]


def prefect(request: Request) -> PrefectSchedules:
    """Where schedules are kept."""
    found: PrefectSchedules = request.app.state.schedules
    return found


PrefectOf = Annotated[PrefectSchedules, Depends(prefect)]


@router.get("", operation_id="list_schedules", summary="List schedules", dependencies=readable)
async def list_schedules(prefect: PrefectOf) -> Page[Schedule]:
    """All of them by name, with their next and last times and what they have missed. 503 while Prefect is away."""
    return Page(items=await schedules.list_schedules(prefect))


@router.post("", operation_id="create_schedule", summary="Make a schedule", status_code=201, response_model=Schedule)
async def create_schedule(
    body: ScheduleRequest, principal: Operator, prefect: PrefectOf, database: DatabaseOf, key: Key = None
) -> JSONResponse:
    """A deployment of Prefect is made for it: `launch/<name>`, outside of `default` `launch/<project>:<name>`."""

    async def make(session: AsyncSession) -> dict[str, Any]:
        made = await schedules.create(prefect, database, body, principal.name)
        return made.model_dump(mode="json")

    request_hash = idempotency.hash_request("POST /schedules", body.model_dump(mode="json"))
    answer = await idempotency.once(database, principal.token_id, key, request_hash, make)
    headers = {"Location": f"{router.prefix}/{answer.body['name']}"}
    return JSONResponse(answer.body, 201, headers | ({"Idempotent-Replayed": "true"} if answer.replayed else {}))


@router.post("/preview", operation_id="preview_timing", summary="What a timing means", dependencies=readable)
async def preview_timing(body: TimingRequest) -> TimingPreview:
    """In words, and its next five times; 422 for a cron expression that is none. Nothing is kept."""
    return schedules.preview(body.timing)


@router.get("/{name}", operation_id="get_schedule", summary="One schedule", dependencies=readable)
async def get_schedule(name: NamePath, prefect: PrefectOf, response: Response) -> Schedule:
    """Its `ETag` is needed to edit it."""
    deployment = await schedules.get(prefect, name)
    response.headers["ETag"] = schedules.etag_of(deployment)
    return await schedules.describe(prefect, deployment)


@router.patch(
    "/{name}",
    operation_id="edit_schedule",
    summary="Edit, pause or resume a schedule",
    dependencies=[Depends(require("operator"))],
)
async def edit_schedule(
    name: NamePath, body: ScheduleChange, prefect: PrefectOf, database: DatabaseOf, if_match: IfMatch = None
) -> Schedule:
    """Fields that are left out stay. Needs `If-Match` (428 without): somebody may have edited it, also in Prefect."""
    return await schedules.change(prefect, database, name, if_match, body)


@router.delete(
    "/{name}",
    operation_id="delete_schedule",
    summary="Delete a schedule",
    status_code=204,
    dependencies=[Depends(require("operator"))],
)
async def delete_schedule(
    name: NamePath, prefect: PrefectOf, database: DatabaseOf, if_match: IfMatch = None
) -> Response:
    """The runs that it launched stay."""
    await schedules.delete(prefect, database, name, if_match)
    return Response(status_code=204)


@router.post(
    "/{name}/run",
    operation_id="run_schedule",
    summary="Launch what a schedule launches, now",
    status_code=202,
    dependencies=[Depends(require("operator"))],
)
async def run_schedule(name: NamePath, prefect: PrefectOf, database: DatabaseOf, key: Key = None) -> RunNow:
    """Also while it is paused. A worker of the pool `control` launches the run within seconds."""
    return await schedules.run_now(prefect, database, name, key)
