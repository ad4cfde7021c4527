"""Runs: launch, list, look at, cancel."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.routes.deps import DatabaseOf, SessionOf, SettingsOf, StoreOf, require
from app.routes.orchestration import OrchestratorOf
from app.run_schemas import LaunchPlan, OperationStatus
from app.schemas import LaunchRequest, Page, Run, RunSummary
from app.services import cancellation, deletion, idempotency, launch, runs
from app.services.auth import Principal
from app.services.dry_run import preview
from app.services.retry import retry
from workers.specs.events import Artifact, RunState

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])
Kind = Literal["curation", "quality", "training", "evaluation", "release", "pipeline", "ablation"]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Any text of your own: the request happens once for it."),
]


@router.post(
    "",
    operation_id="launch_run",
    summary="Launch a run",
    status_code=201,
    response_model=Run,
    responses={200: {"model": LaunchPlan, "description": "A dry run: what the launch would do."}},
)
async def launch_run(
    body: LaunchRequest,
    principal: Annotated[Principal, Depends(require("operator", "worker"))],
    database: DatabaseOf,
    orchestrator: OrchestratorOf,
    settings: SettingsOf,
    tasks: BackgroundTasks,
    key: Key = None,
    dry_run: Annotated[bool, Query(description="Only say what the launch would do.")] = False,
) -> Response:
    """Check the spec (or a preset with `overrides`), write the run, and hand it to Prefect.

    The same Idempotency-Key with the same body gives the first answer again; with another body 422; while the first
    is in flight 409. 409 `quota-full` when the project has as many runs as it may. Workers launch too: a pipeline makes
    its stages this way.
    """
    if dry_run:
        async with database.begin() as session:
            return JSONResponse((await preview(session, body)).model_dump(mode="json"))

    async def make(session: AsyncSession) -> dict[str, Any]:
        row = await launch.create(session, body, principal.name)
        return runs.describe(row, [], [], settings).model_dump(mode="json")

    request_hash = idempotency.hash_request("POST /runs", body.model_dump(mode="json"))
    answer = await idempotency.once(database, principal.token_id, key, request_hash, make)
    tasks.add_task(launch.submit, database, orchestrator, answer.body["id"])
    return _created(answer, tasks)


def _created(answer: idempotency.Answer, tasks: BackgroundTasks) -> JSONResponse:
    location = {"Location": f"{router.prefix}/{answer.body['id']}"}
    headers = location | ({"Idempotent-Replayed": "true"} if answer.replayed else {})
    return JSONResponse(answer.body, 201, headers, background=tasks)


@router.get("", operation_id="list_runs", summary="List runs", dependencies=[Depends(require("viewer", "worker"))])
async def list_runs(
    request: Request,
    response: Response,
    session: SessionOf,
    kind: Annotated[list[Kind] | None, Query(description="Any of these kinds.")] = None,
    state: Annotated[list[RunState] | None, Query(description="Any of these states.")] = None,
    q: Annotated[str | None, Query(max_length=300, description="Part of the name.")] = None,
    parent_id: Annotated[str | None, Query(max_length=64, description="Children of this run.")] = None,
    roots: Annotated[bool, Query(description="Leave out runs that have a parent.")] = False,
    tag: Annotated[list[str] | None, Query(description="All of these tags.")] = None,
    sort: Annotated[str, Query(examples=["-created_at"], description="created_at, name, state, kind; - before it.")] = (
        "-created_at"
    ),
    cursor: Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[RunSummary]:
    """Runs, the newest first. The `Link` header names the next page."""
    filters = {"kind": kind, "state": state, "q": q, "parent_id": parent_id, "roots": roots, "tag": tag}
    page = await runs.list_runs(session, filters, sort, cursor, limit)
    if page.next_cursor:
        url = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return page


@router.get(
    "/{run_id}",
    operation_id="get_run",
    summary="A run in full",
    dependencies=[Depends(require("viewer", "worker"))],
)
async def get_run(run_id: str, session: SessionOf, settings: SettingsOf) -> Run:
    """With its spec, figures, children and artifacts."""
    return await runs.get_run(session, run_id, settings)


@router.post("/{run_id}/cancel", operation_id="cancel_run", summary="Cancel a run", status_code=202)
async def cancel_run(
    run_id: str,
    principal: Annotated[Principal, Depends(require("operator"))],
    database: DatabaseOf,
    orchestrator: OrchestratorOf,
    settings: SettingsOf,
) -> Run:
    """A queued run is cancelled at once; a running one is `cancelling` until its worker has stopped.

    Its children are cancelled too. A run that has ended stays as it is.
    """
    await cancellation.cancel(database, orchestrator, run_id, f"cancelled by {principal.name}")
    async with database.begin() as session:
        return await runs.get_run(session, run_id, settings)


@router.post("/{run_id}/retry", operation_id="retry_run", summary="Take up a run", status_code=201, response_model=Run)
async def retry_run(
    run_id: str,
    principal: Annotated[Principal, Depends(require("operator"))],
    database: DatabaseOf,
    orchestrator: OrchestratorOf,
    settings: SettingsOf,
    tasks: BackgroundTasks,
    key: Key = None,
) -> Response:
    """A new run with the spec of one that failed, crashed or was cancelled; it goes on from its newest checkpoint.

    A pipeline takes over the stages that were completed. 409 for a run that has not ended, or has completed.
    """

    async def make(session: AsyncSession) -> dict[str, Any]:
        row = await retry(session, run_id, principal.name)
        return runs.describe(row, [], [], settings).model_dump(mode="json")

    request_hash = idempotency.hash_request(f"POST /runs/{run_id}/retry", {})
    answer = await idempotency.once(database, principal.token_id, key, request_hash, make)
    tasks.add_task(launch.submit, database, orchestrator, answer.body["id"])
    return _created(answer, tasks)


@router.delete(
    "/{run_id}",
    operation_id="delete_run",
    summary="Delete a run",
    status_code=204,
    responses={202: {"model": OperationStatus, "description": "It is gone; what was stored of it is still removed."}},
)
async def delete_run(
    run_id: str,
    principal: Annotated[Principal, Depends(require("operator"))],
    database: DatabaseOf,
    store: StoreOf,
    confirm: Annotated[str, Query(max_length=300, description="The run's name, typed once more.")] = "",
) -> Response:
    """Metrics, events, evaluations, artifacts and MLflow's run go, with those of its children. It cannot be undone.

    Only what has ended can be deleted. 409 while a run that has not ended, a release or a dataset needs what it made.
    202 with an operation when removing takes longer than a moment: the run is gone from all lists already.
    """
    operation = await deletion.delete(database, store, run_id, confirm, principal.name)
    if operation.state == "done":
        return Response(status_code=204)
    headers = {"Location": f"/api/v1/operations/{operation.id}"}
    return JSONResponse(operation.model_dump(mode="json"), 202, headers)


@router.get(
    "/{run_id}/artifacts",
    operation_id="list_artifacts",
    summary="Artifacts of a run",
    dependencies=[Depends(require("viewer", "worker"))],
)
async def list_artifacts(
    run_id: str, session: SessionOf, kind: Annotated[str | None, Query(max_length=50)] = None
) -> list[Artifact]:
    """In the order in which they were committed."""
    return await runs.list_artifacts(session, run_id, kind)


@router.get(
    "/{run_id}/checkpoints",
    operation_id="list_checkpoints",
    summary="What a new attempt goes on from",
    dependencies=[Depends(require("viewer", "worker"))],
)
async def list_checkpoints(run_id: str, session: SessionOf) -> list[Artifact]:
    """The newest first, by whatever attempt; then those of the run that this one retries."""
    return await runs.list_checkpoints(session, run_id)
