"""SQL of two evaluations of one task, item by item."""

from typing import Any, Literal, NamedTuple

from sqlalchemy import Float, Integer, and_, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.models import Evaluation, EvaluationItem, Run

Outcome = Literal["both_right", "only_a", "only_b", "both_wrong"]
_A, _B = aliased(EvaluationItem), aliased(EvaluationItem)


class SliceRow(NamedTuple):
    """Items of one slice that both have: the mean of a - b with its standard error, and how often who was right."""

    slice: str
    num_items: int
    difference: float
    standard_error: float | None
    both_right: int
    only_a: int
    only_b: int
    both_wrong: int


def _value(item: Any) -> Any:
    """1 or 0 where an item is right or wrong, else its score."""
    return func.coalesce(cast(cast(item.correct, Integer), Float), item.score)


def _is(outcome: Outcome) -> Any:
    a, b = outcome in ("both_right", "only_a"), outcome in ("both_right", "only_b")
    return and_(_A.correct.is_(a), _B.correct.is_(b))


def _joined(query: Any, a: str, b: str) -> Any:
    same = and_(_A.item_id == _B.item_id, _B.evaluation_id == b)
    return query.select_from(_A).join(_B, same).where(_A.evaluation_id == a)


async def evaluation(session: AsyncSession, evaluation_id: str) -> tuple[Evaluation, str] | None:
    """An evaluation with the name of its run."""
    query = select(Evaluation, Run.name).join(Run, Run.id == Evaluation.run_id).where(Evaluation.id == evaluation_id)
    row = (await session.execute(query)).one_or_none()
    return (row[0], row[1]) if row else None


async def slices(session: AsyncSession, a: str, b: str) -> list[SliceRow]:
    """Each slice, the largest first."""
    difference = _value(_A) - _value(_B)
    counts = [func.sum(case((_is(o), 1), else_=0)) for o in ("both_right", "only_a", "only_b", "both_wrong")]
    error = func.stddev_samp(difference) / func.sqrt(func.count())
    query = _joined(select(_A.slice, func.count(), func.avg(difference), error, *counts), a, b)
    rows = await session.execute(query.group_by(_A.slice).order_by(func.count().desc(), _A.slice))
    return [SliceRow(*row) for row in rows]


async def whole(session: AsyncSession, a: str, b: str) -> SliceRow | None:
    """All items that both have as one row; None: there are none."""
    difference = _value(_A) - _value(_B)
    counts = [func.sum(case((_is(o), 1), else_=0)) for o in ("both_right", "only_a", "only_b", "both_wrong")]
    error = func.stddev_samp(difference) / func.sqrt(func.count())
    row = (await session.execute(_joined(select(func.count(), func.avg(difference), error, *counts), a, b))).one()
    return SliceRow("", *row) if row[0] else None


async def pairs(
    session: AsyncSession,
    a: str,
    b: str,
    slice_name: str | None,
    outcome: Outcome | None,
    after: tuple[float, str] | None,
    limit: int,
) -> list[tuple[EvaluationItem, EvaluationItem, float]]:
    """Items of both with a's score minus b's, the most different first. `after`: size of the difference and item."""
    size = func.abs(_A.score - _B.score)
    query = _joined(select(_A, _B, size), a, b)
    if slice_name is not None:
        query = query.where(_A.slice == slice_name)
    if outcome is not None:
        query = query.where(_is(outcome))
    if after is not None:
        query = query.where((size < after[0]) | ((size == after[0]) & (_A.item_id > after[1])))
    rows = await session.execute(query.order_by(size.desc(), _A.item_id).limit(limit))
    return [(row[0], row[1], float(row[2])) for row in rows]
