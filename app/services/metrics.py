"""Series of a run as charts want them."""

import math

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Series
from app.models.metrics import FACTOR_BITS
from app.queries import charts, runs
from app.schemas import Bucket, SeriesInfo
from app.services.problems import invalid, not_found

MAX_BUCKETS = 2000
_FINEST = 1 << FACTOR_BITS


async def list_series(session: AsyncSession, run_id: str) -> list[SeriesInfo]:
    """One entry a key, over all its branches; the last value is that of the newest branch."""
    if await runs.get(session, run_id) is None:
        raise not_found("run", run_id)
    found: dict[str, SeriesInfo] = {}
    for row in await charts.all_series(session, run_id):
        info = found.get(row.key)
        if info is None:
            info = SeriesInfo(key=row.key, num_points=0, first_step=row.first_step, last_step=0, last_value=None)
            found[row.key] = info
        info.num_points += row.num_points
        info.first_step = min(info.first_step, row.first_step)
        info.last_step, info.last_value = row.last_step, _finite(row.last_value)
    return list(found.values())


async def read_series(
    session: AsyncSession,
    run_id: str,
    key: str,
    from_step: int | None,
    to_step: int | None,
    buckets: int,
    flatten: bool,
    times: bool = False,
) -> list[Bucket]:
    """The series in at most `buckets` buckets, one entry a branch; with `flatten` one line, the newest branch first.

    Raises a 404 problem for an unknown run or key, 422 for a range that ends before it begins.
    """
    series = await charts.all_series(session, run_id, key)
    if not series:
        raise not_found("run" if await runs.get(session, run_id) is None else "series", key)
    first = max(min(row.first_step for row in series), from_step if from_step is not None else 0)
    last = max(row.last_step for row in series)
    last = last if to_step is None else min(last, to_step)
    if from_step is not None and to_step is not None and from_step > to_step:
        raise invalid("The range ends before it begins.", [{"pointer": "/to_step", "message": "less than from_step"}])
    width, level = _fit(series, first, last, buckets)
    coarse = await charts.has_rollups_only(session, run_id)
    if coarse:
        width, level = max(width, _FINEST), max(level, 1)
        width = -(-width // _FINEST) * _FINEST
    answers = []
    for row, limit in zip(series, _ends(series, last, flatten), strict=True):
        begin, end = max(first, row.first_step), min(limit, row.last_step)
        if coarse and begin <= end:  # whole buckets: there is nothing between their borders any more
            begin, end = begin // _FINEST * _FINEST, end // _FINEST * _FINEST + _FINEST - 1
        segments = charts.cover(begin, end, level)
        chart = await charts.read(session, row.id, segments, width)
        answer = _bucket(key, row.branch, width, chart)
        if times:
            answer.times = await charts.times(session, row.id, answer.steps)
        answers.append(answer)
    return [_joined(answers)] if flatten else answers


def _fit(series: list[Series], first: int, last: int, buckets: int) -> tuple[int, int]:
    # a series with few points is shown as it is, however far apart they lie
    if first > last or max(row.num_points for row in series) <= buckets:
        return 1, 0
    return charts.fit(first, last, buckets)


def _ends(series: list[Series], last: int, flatten: bool) -> list[int]:
    """The last step to read of each branch: flattened, a branch ends where a newer one begins."""
    if not flatten:
        return [last] * len(series)
    ends, end = [], last
    for row in reversed(series):
        ends.append(end)
        end = min(end, row.first_step - 1)
    return ends[::-1]


def _bucket(key: str, branch: int, width: int, chart: charts.Chart) -> Bucket:
    return Bucket.model_construct(  # every number is one already: checking them took longer than reading them
        key=key,
        branch=branch,
        bucket_steps=width,
        steps=chart.steps,
        min=chart.mins,
        max=chart.maxs,
        mean=chart.means,
        last=chart.lasts,
        num_nonfinite=chart.nonfinites,
    )


def _joined(parts: list[Bucket]) -> Bucket:
    """Branches one behind the other. Where two meet inside a bucket, both keep their part of it."""
    joined = parts[-1].model_copy(deep=True)
    for part in reversed(parts[:-1]):
        for name in ("steps", "min", "max", "mean", "last", "num_nonfinite", "times"):
            getattr(joined, name)[:0] = getattr(part, name)
    return joined


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
