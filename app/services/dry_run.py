"""What a launch would do, without launching."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.estimate_schemas import EstimateRequest
from app.queries import workers
from app.run_schemas import LaunchPlan
from app.schemas import LaunchRequest
from app.services import estimates, launch
from workers.specs.pipeline import PipelineSpec
from workers.specs.training import TrainingSpec


async def preview(session: AsyncSession, request: LaunchRequest) -> LaunchPlan:
    """The checked spec, its pools with their live workers, warnings, and an estimate of what trains.

    Raises a 422 problem for a wrong spec.
    """
    spec = launch.read_spec(request)
    online = await workers.online_by_pool(session)
    trains = isinstance(spec, TrainingSpec | PipelineSpec)
    asked = EstimateRequest(spec=request.spec, preset=request.preset, overrides=request.overrides)
    return LaunchPlan(
        kind=spec.kind,
        name=request.name or spec.name,
        spec=spec.model_dump(mode="json"),
        spec_hash=spec.content_hash(),
        pool=launch.pool_of(spec),
        workers={pool: online.get(pool, 0) for pool in launch.pools_of(spec)},
        warnings=launch.warnings_of(spec) + await launch.missing_workers(session, spec),
        estimate=await estimates.answer(session, asked) if trains else None,
    )
