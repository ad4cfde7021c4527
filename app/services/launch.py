"""A launch: the spec is checked, the row written, the flow run asked for.

The row is the promise: where Prefect cannot be reached, the run waits and the reconciler hands it over later.
"""

from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.models import Run, new_id
from app.queries import events, outbox, runs
from app.schemas import LaunchRequest
from app.services import audit, lifecycle
from app.services.orchestrator import Orchestrator, PrefectError
from app.services.presets import get_preset, validate
from app.services.problems import conflict, invalid
from workers.specs import AnySpec
from workers.specs.composition import lay_over
from workers.specs.events import RunState
from workers.specs.exploration import AblationSpec
from workers.specs.pipeline import PipelineSpec
from workers.specs.training import TrainingSpec

CLAIM_SECONDS = 45.0
"""Longer than a call to Prefect may take."""
_log = structlog.get_logger()


def read_spec(request: LaunchRequest) -> AnySpec:
    """The spec that a request means. Raises a 422 problem with the pointers of wrong fields."""
    if (request.spec is None) == (request.preset is None):
        raise invalid("Give either `spec` or `preset`.", [{"pointer": "/spec", "message": "spec or preset, not both"}])
    if request.preset is not None:
        spec = lay_over(get_preset(request.preset).spec, request.overrides)
        return validate(spec, "/overrides")
    if request.overrides:
        raise invalid(
            "`overrides` go with `preset` only.", [{"pointer": "/overrides", "message": "only with a preset"}]
        )
    return validate(request.spec)


def pool_of(spec: AnySpec) -> str:
    """The work pool: runs that make runs have their own, so that they never hold a place that their children need."""
    return "control" if isinstance(spec, PipelineSpec | AblationSpec) else spec.resources.pool


def warnings_of(spec: AnySpec) -> list[str]:
    """What a person should know of a spec before the run; a pipeline says it of its training."""
    training = spec.training if isinstance(spec, PipelineSpec) else spec
    return training.warnings if isinstance(training, TrainingSpec) else []


async def create(session: AsyncSession, request: LaunchRequest, author: str) -> Run:
    """The row of a new run, claimed for the caller to `submit` it after the commit. Raises problems."""
    spec = read_spec(request)
    if request.parent_id is not None:
        parent = await lifecycle.locked(session, request.parent_id)
        state = RunState(parent.state)
        if state.terminal or state is RunState.CANCELLING:
            raise conflict("parent-ended", f"The parent run {parent.id} is {parent.state}: it takes no new children.")
    run = Run(
        id=new_id(),
        name=request.name or spec.name,
        kind=spec.kind,
        spec=spec.model_dump(mode="json"),
        spec_hash=spec.content_hash(),
        parent_id=request.parent_id,
        stage=request.stage,
        pool=pool_of(spec),
        priority=request.priority,
        tags=list(dict.fromkeys(request.tags)),
        max_attempts=request.max_attempts,
        created_by=author,
        submit_after=runs.in_seconds(CLAIM_SECONDS),
    )
    await runs.add(session, run)
    await events.add(session, run, "state", f"launched by {author}", after=RunState.QUEUED.value)
    for warning in warnings_of(spec):
        await events.add(session, run, "warning", warning, "warning")
    await outbox.append(session, run.id, "run")
    shown = ("name", "kind", "pool", "spec_hash", "parent_id")
    await audit.record(session, "run.launch", run.id, after={name: getattr(run, name) for name in shown})
    await lifecycle.announce(session, run, "event")
    return run


async def submit(database: Database, orchestrator: Orchestrator, run_id: str) -> None:
    """Hand a claimed run to Prefect. Prefect makes one flow run for an attempt, however often it is asked."""
    async with database.begin() as session:
        run = await runs.get(session, run_id)
    if run is None or run.state != RunState.QUEUED or run.prefect_flow_run_id:
        return
    parameters: dict[str, Any] = {"run_id": run.id, "attempt": run.attempt, "spec": run.spec}
    try:
        flow_run_id = await orchestrator.submit(
            run.kind, run.pool, run.priority, parameters, f"{run.name[:200]} · {run.attempt}"
        )
    except PrefectError as error:
        _log.warning("prefect_submit_failed", run_id=run_id, error=str(error))
        await _give_back(database, run_id, run.attempt, f"waiting for Prefect: {error}")
        return
    if not await _link(database, run_id, run.attempt, flow_run_id):
        await orchestrator.cancel(flow_run_id)  # it was cancelled while we asked


async def _give_back(database: Database, run_id: str, attempt: int, reason: str) -> None:
    async with database.begin() as session:
        run = await lifecycle.locked(session, run_id)
        if run.attempt == attempt and run.state == RunState.QUEUED:
            await lifecycle.explain(session, run, reason)
            run.submit_after = runs.in_seconds(2.0)


async def _link(database: Database, run_id: str, attempt: int, flow_run_id: str) -> bool:
    """Keep the flow run's id. False: the run has ended, or has another attempt."""
    async with database.begin() as session:
        run = await lifecycle.locked(session, run_id)
        if run.attempt != attempt or RunState(run.state).terminal:
            return False
        run.prefect_flow_run_id = flow_run_id
        await runs.set_attempt(session, run, flow_run_id=flow_run_id)
        if run.state == RunState.QUEUED:
            run.state_reason = ""
        await session.flush()
        await lifecycle.announce(session, run)
        return True
