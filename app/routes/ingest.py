"""What workers report. The body is read after the caller is known, and parsed in one go."""

from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.db import without_nul
from app.routes.deps import SessionOf, StoreOf, require
from app.services import ingest
from workers.specs.events import Batch, EvaluationItems, Reply

router = APIRouter(prefix="/api/v1/ingest/runs/{run_id}", tags=["ingest"], dependencies=[Depends(require("worker"))])
BODIES: tuple[type[BaseModel], ...] = (Batch, EvaluationItems)
"""Models that the OpenAPI document must name, though no parameter has them."""
M = TypeVar("M", bound=BaseModel)


def _body(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post("", operation_id="ingest_batch", summary="Report a batch", openapi_extra=_body(Batch))
async def ingest_batch(run_id: str, request: Request, session: SessionOf, store: StoreOf) -> Reply:
    """Metrics, events, findings, artifacts and the state; the answer brings the commands that wait.

    409 for an attempt that is over or a run that has ended: the worker must stop. A repeat of (attempt, source, seq)
    has no effect and is answered with `accepted` false.
    """
    return await ingest.ingest(session, run_id, await _read(request, Batch), store)


@router.post(
    "/evaluation-items",
    operation_id="ingest_evaluation_items",
    summary="Report items of an evaluation",
    openapi_extra=_body(EvaluationItems),
)
async def ingest_evaluation_items(run_id: str, request: Request, session: SessionOf) -> Reply:
    """After the artifact with the scores. Repeating it is harmless."""
    return await ingest.ingest_items(session, run_id, await _read(request, EvaluationItems))


async def _read(request: Request, model: type[M]) -> M:
    try:
        return model.model_validate_json(without_nul(await request.body()))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        located = [item | {"loc": ("body", *item["loc"])} for item in wrong]
        raise RequestValidationError(located) from error
