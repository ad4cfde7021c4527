"""Estimates: a spec, the vocabulary it will meet, and the speed that runs of its pool have reported."""

import statistics

from sqlalchemy.ext.asyncio import AsyncSession

from app.estimate_schemas import EstimateAnswer, EstimateRequest, VocabSource
from app.queries import estimates as queries
from app.schemas import LaunchRequest
from app.services.launch import read_spec
from app.services.problems import invalid
from workers.specs.curation import TokenizerTraining
from workers.specs.estimate import TABLE, Calibration, estimate
from workers.specs.pipeline import PipelineSpec
from workers.specs.training import TrainingSpec

MIN_STEPS = 20
"""A run of fewer says little of speed."""


async def answer(session: AsyncSession, request: EstimateRequest) -> EstimateAnswer:
    """The estimate. Raises a 422 problem for a spec that is wrong or trains nothing."""
    spec = read_spec(LaunchRequest(spec=request.spec, preset=request.preset, overrides=request.overrides))
    if not isinstance(spec, TrainingSpec | PipelineSpec):
        message = f"a run of kind {spec.kind} trains no model of its own: give a training or a pipeline"
        raise invalid(message, [{"pointer": "/spec/kind", "message": message}])
    training = spec.training if isinstance(spec, PipelineSpec) else spec
    vocab_size, source = await _vocabulary(session, request, spec)
    pool = training.resources.pool
    return EstimateAnswer(
        vocab_size=vocab_size,
        vocab_source=source,
        training=estimate(
            training, vocab_size, "gpu" if pool == "gpu" else "cpu", await _calibration(session, pool, training)
        ),
    )


async def _vocabulary(
    session: AsyncSession, request: EstimateRequest, spec: TrainingSpec | PipelineSpec
) -> tuple[int, VocabSource]:
    """Size of the vocabulary, and who says so."""
    if request.vocab_size is not None:
        return request.vocab_size, "request"
    tokenizer = spec.curation.tokenizer if isinstance(spec, PipelineSpec) else TokenizerTraining()
    datasets = [tokenizer.dataset] if tokenizer.dataset else [] if isinstance(spec, PipelineSpec) else spec.datasets
    if datasets and (found := await queries.vocab_size(session, datasets[0])):
        return found, "dataset"
    return tokenizer.vocab_size, "pipeline" if isinstance(spec, PipelineSpec) else "default"


async def _calibration(session: AsyncSession, pool: str, spec: TrainingSpec) -> Calibration:
    """The table's figures with the speed of the last runs of this pool, of the same `compile` and `dtype`."""
    speeds = await queries.recent_speeds(session, pool, spec.compile, spec.dtype, MIN_STEPS)
    table = TABLE["gpu" if pool == "gpu" else "cpu"]
    if not speeds:
        return table
    source = f"the last {len(speeds)} runs on this pool" if len(speeds) > 1 else "the last run on this pool"
    known = {"flops_per_second": statistics.median(speed for speed, _ in speeds), "source": source}
    newest = speeds[0][1]
    return table.model_copy(update=known | ({"dtype": newest} if newest else {}))
