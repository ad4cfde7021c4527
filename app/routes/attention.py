"""What waits for a person, over all runs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.attention_schemas import Attention
from app.routes.deps import SessionOf, require
from app.schemas import FindingRecord
from app.services import attention
from app.services.auth import Principal

router = APIRouter(prefix="/api/v1", tags=["events"])
FindingId = Annotated[str, Path(max_length=300)]
_PATH = "/runs/{run_id}/findings/{finding_id}/acknowledgement"


@router.get(
    "/attention",
    operation_id="get_attention",
    summary="What waits for a person",
    dependencies=[Depends(require("viewer"))],
)
async def get_attention(session: SessionOf) -> Attention:
    """Interventions to be approved or rejected, and findings of two weeks that nobody has acknowledged."""
    return await attention.look(session)


@router.put(_PATH, operation_id="acknowledge_finding", summary="A person has seen a finding")
async def acknowledge_finding(
    run_id: str,
    finding_id: FindingId,
    principal: Annotated[Principal, Depends(require("operator"))],
    session: SessionOf,
) -> FindingRecord:
    """It asks for nobody any more. What the controller does is not changed by it."""
    return await attention.acknowledge(session, run_id, finding_id, principal.name)


@router.delete(
    _PATH,
    operation_id="withdraw_acknowledgement",
    summary="A finding asks for a person again",
    dependencies=[Depends(require("operator"))],
)
async def withdraw_acknowledgement(run_id: str, finding_id: FindingId, session: SessionOf) -> FindingRecord:
    """Takes an acknowledgement back."""
    return await attention.acknowledge(session, run_id, finding_id, None)
