"""SQL of evaluations and their items."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Evaluation, EvaluationItem, Run


async def evaluations(
    session: AsyncSession,
    run_id: str | None,
    task: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[tuple[Evaluation, str]]:
    """Evaluations with the name of their run, the newest first."""
    query = (
        select(Evaluation, Run.name)
        .join(Run, Run.id == Evaluation.run_id)
        .where(Run.deleted_at.is_(None))
        .order_by(Evaluation.created_at.desc(), Evaluation.id.desc())
        .limit(limit)
    )
    if run_id is not None:
        query = query.where(Evaluation.run_id == run_id)
    if task is not None:
        query = query.where(Evaluation.task == task)
    if before is not None:
        query = query.where(tuple_(Evaluation.created_at, Evaluation.id) < before)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def evaluation_exists(session: AsyncSession, evaluation_id: str) -> bool:
    """Is there such an evaluation?"""
    return await session.scalar(select(Evaluation.id).where(Evaluation.id == evaluation_id)) is not None


async def items(
    session: AsyncSession,
    evaluation_id: str,
    slice_name: str | None,
    correct: bool | None,
    after: str | None,
    limit: int,
) -> list[EvaluationItem]:
    """Items of an evaluation, by their id."""
    query: Any = select(EvaluationItem).where(EvaluationItem.evaluation_id == evaluation_id)
    if slice_name is not None:
        query = query.where(EvaluationItem.slice == slice_name)
    if correct is not None:
        query = query.where(EvaluationItem.correct == correct)
    if after is not None:
        query = query.where(EvaluationItem.item_id > after)
    return list(await session.scalars(query.order_by(EvaluationItem.item_id).limit(limit)))
