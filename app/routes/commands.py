"""Commands to a running worker."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.routes.deps import DatabaseOf, SessionOf, require
from app.routes.runs import Key
from app.run_schemas import CommandRequest, CommandStatus
from app.services import events, idempotency
from app.services.auth import Principal

router = APIRouter(prefix="/api/v1/runs/{run_id}/commands", tags=["commands"])


@router.get(
    "",
    operation_id="list_commands",
    summary="Commands and how far they are",
    dependencies=[Depends(require("viewer", "worker"))],
)
async def list_commands(run_id: str, session: SessionOf) -> list[CommandStatus]:
    """The oldest first."""
    return await events.list_commands(session, run_id)


@router.post(
    "",
    operation_id="send_command",
    summary="Ask something of the worker",
    status_code=202,
    response_model=CommandStatus,
)
async def send_command(
    run_id: str,
    body: CommandRequest,
    principal: Annotated[Principal, Depends(require("operator"))],
    database: DatabaseOf,
    key: Key = None,
) -> JSONResponse:
    """The worker gets it with its next report, about a second later. 409 for a run that is not running."""

    async def make(session: AsyncSession) -> dict[str, Any]:
        return (await events.send_command(session, run_id, body, principal.name)).model_dump(mode="json")

    request_hash = idempotency.hash_request(f"POST /runs/{run_id}/commands", body.model_dump(mode="json"))
    answer = await idempotency.once(database, principal.token_id, key, request_hash, make)
    return JSONResponse(answer.body, 202, {"Idempotent-Replayed": "true"} if answer.replayed else None)
