"""Series of a run, at any zoom."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.routes.deps import SessionOf, require
from app.schemas import Bucket, SeriesInfo
from app.services import metrics

router = APIRouter(
    prefix="/api/v1/runs/{run_id}/metrics", tags=["metrics"], dependencies=[Depends(require("viewer", "worker"))]
)
Step = Annotated[int | None, Query(ge=0, lt=1 << 62)]


@router.get("", operation_id="list_series", summary="Series of a run")
async def list_series(run_id: str, session: SessionOf) -> list[SeriesInfo]:
    """One entry a key, over all its branches."""
    return await metrics.list_series(session, run_id)


@router.get("/{key:path}", operation_id="get_series", summary="Points of a series")
async def get_series(
    run_id: str,
    key: str,
    session: SessionOf,
    from_step: Step = None,
    to_step: Step = None,
    buckets: Annotated[int, Query(ge=1, le=metrics.MAX_BUCKETS)] = 1000,
    flatten: Annotated[
        bool, Query(description="One line: where branches overlap, the newest counts. Else one entry a branch.")
    ] = False,
    times: Annotated[bool, Query(description="With the time of each bucket's first point.")] = False,
) -> list[Bucket]:
    """Minimum, maximum, mean and last value in at most `buckets` buckets a branch; few points come as they are."""
    return await metrics.read_series(session, run_id, key, from_step, to_step, buckets, flatten, times)
