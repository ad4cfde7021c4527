"""Two evaluations of one task against each other."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.evaluation_schemas import Answer, EvaluationComparison, ItemPair, PairedSlice
from app.queries import evaluation_pairs as queries
from app.schemas import EvaluationSummary, Page
from app.services import cursors
from app.services.problems import invalid, not_found

_Z = 1.96


async def compare(session: AsyncSession, a: str, b: str) -> EvaluationComparison:
    """Differences over all items and by slice. Raises problems: 404, 422 for different tasks."""
    first, second = await _both(session, a, b)
    whole = await queries.whole(session, a, b)
    return EvaluationComparison(
        a=first,
        b=second,
        whole=_paired(whole) if whole else None,
        slices=[_paired(row) for row in await queries.slices(session, a, b)],
    )


async def list_pairs(
    session: AsyncSession,
    a: str,
    b: str,
    slice_name: str | None,
    outcome: queries.Outcome | None,
    cursor: str | None,
    limit: int,
) -> Page[ItemPair]:
    """Items with both answers, the most different scores first. Raises problems: 404, 422."""
    await _both(session, a, b)
    key = cursors.decode(cursor, [float, str])
    after = (float(key[0]), str(key[1])) if key else None
    rows = await queries.pairs(session, a, b, slice_name, outcome, after, limit + 1)
    items = [
        ItemPair(
            item_id=one.item_id,
            slice=one.slice,
            a=Answer(score=one.score, correct=one.correct, data=one.data),
            b=Answer(score=two.score, correct=two.correct, data=two.data),
        )
        for one, two, _ in rows[:limit]
    ]
    more = len(rows) > limit
    return Page(items=items, next_cursor=cursors.encode(rows[limit - 1][2], items[-1].item_id) if more else None)


async def _both(session: AsyncSession, a: str, b: str) -> tuple[EvaluationSummary, EvaluationSummary]:
    found = []
    for name in (a, b):
        row = await queries.evaluation(session, name)
        if row is None:
            raise not_found("evaluation", name)
        found.append(EvaluationSummary.model_validate({**row[0].__dict__, "run_name": row[1]}))
    if (found[0].task, found[0].metric) != (found[1].task, found[1].metric):
        raise invalid(f"{found[0].task} and {found[1].task} are different tasks: choose two evaluations of one.", [])
    return found[0], found[1]


def _paired(row: queries.SliceRow) -> PairedSlice:
    half = None if row.standard_error is None else _Z * row.standard_error
    return PairedSlice(
        slice=row.slice,
        num_items=row.num_items,
        difference=row.difference,
        low=None if half is None else row.difference - half,
        high=None if half is None else row.difference + half,
        both_right=row.both_right,
        only_a=row.only_a,
        only_b=row.only_b,
        both_wrong=row.both_wrong,
    )
