"""What a run would take."""

from fastapi import APIRouter, Depends

from app.estimate_schemas import EstimateAnswer, EstimateRequest
from app.routes.deps import SessionOf, require
from app.services import estimates

router = APIRouter(prefix="/api/v1", tags=["specs"], dependencies=[Depends(require("viewer", "worker"))])


@router.post("/estimate", operation_id="estimate_run", summary="What a run would take")
async def estimate_run(body: EstimateRequest, session: SessionOf) -> EstimateAnswer:
    """Parameters, FLOPs, memory, time, cache and decoding of a training run, or of a pipeline's training.

    Speeds are those that the last runs of the same pool have reported; before there are any, those of a table. Nothing
    is launched. 422 for a spec that is wrong or trains nothing.
    """
    return await estimates.answer(session, body)
