"""Events, log lines, findings and interventions of a run."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from app.routes.deps import SessionOf, require
from app.schemas import FindingRecord, InterventionRecord, RunEvent
from app.services import events

router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["events"], dependencies=[Depends(require("viewer", "worker"))])
Id = Annotated[int, Query(ge=0, lt=1 << 62)]


@router.get("/events", operation_id="list_events", summary="Events and log lines")
async def list_events(
    run_id: str,
    session: SessionOf,
    after: Id = 0,
    before: Annotated[int | None, Query(ge=0, lt=1 << 62, description="The last `limit` before this id.")] = None,
    kind: Annotated[list[str] | None, Query(description="Any of these kinds; log lines are of kind `log`.")] = None,
    level: Annotated[list[Literal["debug", "info", "warning", "error"]] | None, Query()] = None,
    q: Annotated[str | None, Query(max_length=300, description="Part of the message.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[RunEvent]:
    """In the order of arrival. Go on with `after` set to the last id; for a tail give `before` (any large number)."""
    return await events.list_events(
        session, run_id, after=after, before=before, kinds=kind or [], levels=level or [], q=q, limit=limit
    )


@router.get("/findings", operation_id="list_findings", summary="What detectors saw")
async def list_findings(run_id: str, session: SessionOf) -> list[FindingRecord]:
    """By step."""
    return await events.list_findings(session, run_id)


@router.get("/interventions", operation_id="list_interventions", summary="What was done about it")
async def list_interventions(run_id: str, session: SessionOf) -> list[InterventionRecord]:
    """By time, each with its evidence and outcome."""
    return await events.list_interventions(session, run_id)
