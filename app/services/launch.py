"""A launch: the spec is checked, the row written, the flow run asked for.

The row is the promise: where Prefect cannot be reached, the run waits and the reconciler hands it over later.
"""

from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.models import Run, new_id
from app.queries import events, outbox, runs, workers
from app.schemas import LaunchRequest
from app.services import artifacts, audit, lifecycle, projects
from app.services.orchestrator import Orchestrator, PrefectError
from app.services.presets import get_preset, validate
from app.services.problems import conflict, invalid
from app.services.verdict import no_worker
from workers.specs import AnySpec
from workers.specs.composition import lay_over
from workers.specs.events import RunState
from workers.specs.exploration import AblationSpec
from workers.specs.pipeline import PipelineSpec
from workers.specs.training import TrainingSpec

CLAIM_SECONDS = 45.0
"""Longer than a call to Prefect may take."""
_WAITING = "waiting for Prefect"
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


def pools_of(spec: AnySpec) -> list[str]:
    """Its own pool, and those of the runs that it makes."""
    parts = [getattr(spec, name) for name in type(spec).model_fields]
    made = {part.resources.pool for part in parts if hasattr(part, "resources")}
    return list(dict.fromkeys([pool_of(spec), *sorted(made)]))


async def missing_workers(session: AsyncSession, spec: AnySpec) -> list[str]:
    """For each of its pools without a live worker: that there is none, and what to do."""
    online = await workers.online_by_pool(session)
    return [no_worker(pool) for pool in pools_of(spec) if not online.get(pool)]


def warnings_of(spec: AnySpec) -> list[str]:
    """What a person should know of a spec before the run; a pipeline says it of its training."""
    training = spec.training if isinstance(spec, PipelineSpec) else spec
    return training.warnings if isinstance(training, TrainingSpec) else []


async def create(session: AsyncSession, request: LaunchRequest, author: str, retry_of: str | None = None) -> Run:
    """The row of a new run, claimed for the caller to `submit` it after the commit. Raises problems.

    A stage of a pipeline that retries another one is taken over where that one has completed it: then it is its run.
    """
    spec = read_spec(request)
    if request.parent_id is None:
        project = await projects.project_of_launch(session, retry_of)
        await projects.check_quota(session, project)
    else:
        parent = await lifecycle.locked(session, request.parent_id)
        project = parent.project
        state = RunState(parent.state)
        if state.terminal or state is RunState.CANCELLING:
            raise conflict("parent-ended", f"The parent run {parent.id} is {parent.state}: it takes no new children.")
        earlier = await _earlier(session, parent, request.stage, spec.content_hash())
        if earlier and earlier.state == RunState.COMPLETED:
            words = f"{request.stage} was done by run {earlier.id}"
            await events.add(session, parent, "note", words, run_id=earlier.id)
            return earlier
        retry_of = earlier.id if earlier else None
    await artifacts.check_visible(session, spec.model_dump_json())
    missing = await missing_workers(session, spec)
    run = Run(
        id=new_id(),
        project=project,
        name=request.name or spec.name,
        kind=spec.kind,
        spec=spec.model_dump(mode="json"),
        spec_hash=spec.content_hash(),
        parent_id=request.parent_id,
        stage=request.stage,
        retry_of=retry_of,
        pool=pool_of(spec),
        state_reason=next((words for words in missing if words == no_worker(pool_of(spec))), ""),
        priority=request.priority,
        tags=list(dict.fromkeys(request.tags)),
        max_attempts=request.max_attempts,
        keep_raw_days=request.keep_raw_days,
        created_by=author,
        submit_after=runs.in_seconds(CLAIM_SECONDS),
    )
    await runs.add(session, run)
    await events.add(session, run, "state", f"launched by {author}", after=RunState.QUEUED.value)
    for warning in warnings_of(spec) + missing:
        await events.add(session, run, "warning", warning, "warning")
    await outbox.append(session, run.id, "run")
    shown = {name: getattr(run, name) for name in ("name", "kind", "pool", "spec_hash", "parent_id", "retry_of")}
    await audit.record(session, "run.launch", run.id, after=shown, project=project)
    await lifecycle.announce(session, run, "event")
    return run


async def _earlier(session: AsyncSession, parent: Run, stage: str | None, spec_hash: str) -> Run | None:
    """What the runs that the parent retries made of this very stage: the newest, if it has ended."""
    before = parent.retry_of
    while before is not None and stage is not None:
        found = await runs.child_of_stage(session, before, stage)
        if found is not None:
            return found if found.spec_hash == spec_hash and RunState(found.state).terminal else None
        run = await runs.get(session, before)
        before = run.retry_of if run else None
    return None


async def submit(database: Database, orchestrator: Orchestrator, run_id: str) -> None:
    """Hand a claimed run to Prefect, once its project has a place. Prefect makes one flow run for an attempt, however
    often it is asked."""
    async with database.begin() as session:
        run = await runs.lock(session, run_id)
        if run is None or run.state != RunState.QUEUED or run.prefect_flow_run_id:
            return
        if waits := await projects.take_place(session, run):
            await lifecycle.explain(session, run, waits)
            run.submit_after = runs.in_seconds(2.0)
            return
    parameters: dict[str, Any] = {"run_id": run.id, "attempt": run.attempt, "spec": run.spec}
    try:
        flow_run_id = await orchestrator.submit(
            run.kind, run.pool, run.priority, parameters, f"{run.name[:200]} · {run.attempt}"
        )
    except PrefectError as error:
        _log.warning("prefect_submit_failed", run_id=run_id, error=str(error))
        await _give_back(database, run_id, run.attempt, f"{_WAITING}: {error}")
        return
    if not await _link(database, run_id, run.attempt, flow_run_id):
        await orchestrator.cancel(flow_run_id)  # it was cancelled while we asked


async def _give_back(database: Database, run_id: str, attempt: int, reason: str) -> None:
    async with database.begin() as session:
        run = await lifecycle.locked(session, run_id)
        if run.attempt == attempt and run.state == RunState.QUEUED:
            await lifecycle.explain(session, run, reason)
            run.submit_after = runs.in_seconds(2.0)
            run.placed_at = None


async def _link(database: Database, run_id: str, attempt: int, flow_run_id: str) -> bool:
    """Keep the flow run's id. False: the run has ended, or has another attempt."""
    async with database.begin() as session:
        run = await lifecycle.locked(session, run_id)
        if run.attempt != attempt or RunState(run.state).terminal:
            return False
        run.prefect_flow_run_id = flow_run_id
        await runs.set_attempt(session, run, flow_run_id=flow_run_id)
        if run.state_reason.startswith((_WAITING, projects.WAITING)):
            run.state_reason = ""
        await session.flush()
        await lifecycle.announce(session, run)
        return True
