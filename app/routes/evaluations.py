"""Scores of checkpoints, and the items behind them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from app.evaluation_schemas import EvaluationComparison, ItemPair
from app.queries import evaluations as queries
from app.routes.datasets import Cursor, Limit
from app.routes.deps import SessionOf, require
from app.schemas import EvaluationItem, EvaluationSummary, Page
from app.services import cursors, evaluation_pairs
from app.services.problems import not_found

router = APIRouter(
    prefix="/api/v1/evaluations", tags=["evaluations"], dependencies=[Depends(require("viewer", "worker"))]
)


@router.get("", operation_id="list_evaluations")
async def list_evaluations(
    session: SessionOf,
    run_id: Annotated[str | None, Query(max_length=100)] = None,
    task: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[EvaluationSummary]:
    """Scores with their 95 % intervals, the newest first."""
    key = cursors.decode(cursor, [str, str])
    rows = await queries.evaluations(
        session, run_id, task, (cursors.moment(key[0]), key[1]) if key else None, limit + 1
    )
    items = [EvaluationSummary.model_validate({**row.__dict__, "run_name": run_name}) for row, run_name in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return Page(items=items, next_cursor=cursors.encode(last.created_at.isoformat(), last.id) if last else None)


@router.get("/{evaluation_id}/items", operation_id="list_evaluation_items")
async def list_evaluation_items(
    evaluation_id: str,
    session: SessionOf,
    slice_name: Annotated[str | None, Query(alias="slice", max_length=100)] = None,
    correct: Annotated[bool | None, Query(description="Only right answers, or only wrong ones.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[EvaluationItem]:
    """Single items with what the model did."""
    key = cursors.decode(cursor, [str])
    if not await queries.evaluation_exists(session, evaluation_id):
        raise not_found("evaluation", evaluation_id)
    rows = await queries.items(session, evaluation_id, slice_name, correct, key[0] if key else None, limit + 1)
    items = [EvaluationItem.model_validate(row) for row in rows[:limit]]
    return Page(items=items, next_cursor=cursors.encode(items[-1].item_id) if len(rows) > limit else None)


@router.get("/{evaluation_id}/against/{other_id}", operation_id="compare_evaluations")
async def compare_evaluations(evaluation_id: str, other_id: str, session: SessionOf) -> EvaluationComparison:
    """The mean difference over the items that both have, whole and by slice. 422 for evaluations of different tasks."""
    return await evaluation_pairs.compare(session, evaluation_id, other_id)


@router.get("/{evaluation_id}/against/{other_id}/items", operation_id="list_item_pairs")
async def list_item_pairs(
    evaluation_id: str,
    other_id: str,
    session: SessionOf,
    slice_name: Annotated[str | None, Query(alias="slice", max_length=100)] = None,
    outcome: Annotated[
        Literal["both_right", "only_a", "only_b", "both_wrong"] | None, Query(description="Who was right.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ItemPair]:
    """Items with what both models did, those whose scores differ most first."""
    return await evaluation_pairs.list_pairs(session, evaluation_id, other_id, slice_name, outcome, cursor, limit)
