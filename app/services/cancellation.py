"""Cancelling: a queued run at once, a running one through Prefect, a parent with its children."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.models import Run
from app.queries import runs
from app.services import audit, lifecycle
from app.services.orchestrator import Orchestrator, PrefectError
from workers.specs.events import RunState

_log = structlog.get_logger()


async def cancel(database: Database, orchestrator: Orchestrator, run_id: str, reason: str) -> None:
    """Ask for the end of a run and of its children. Harmless on a run that has ended.

    Prefect is told after the commit; where it cannot be reached, the reconciler tells it again.
    """
    async with database.begin() as session:
        flow_run_ids = await mark(session, run_id, reason)
    for flow_run_id in flow_run_ids:
        try:
            await orchestrator.cancel(flow_run_id)
        except PrefectError as error:
            _log.warning("prefect_cancel_failed", run_id=run_id, error=str(error))


async def mark(session: AsyncSession, run_id: str, reason: str) -> list[str]:
    """Set the run and its children to cancelling, or cancelled. Returns the flow runs that must end.

    The parent is locked before its children, as everywhere.
    """
    run = await lifecycle.locked(session, run_id)
    flow_run_ids = await _mark_one(session, run, reason)
    for child_id in await runs.active_children(session, run_id):
        flow_run_ids += await mark(session, child_id, f"its parent {run.name!r} was cancelled")
    return flow_run_ids


async def _mark_one(session: AsyncSession, run: Run, reason: str) -> list[str]:
    state = RunState(run.state)
    if state.terminal:
        return []
    if state is RunState.QUEUED:
        await lifecycle.change(session, run, RunState.CANCELLED, reason)
    elif state is not RunState.CANCELLING:
        await lifecycle.change(session, run, RunState.CANCELLING, reason)
    if run.state != state:
        await audit.record(
            session, "run.cancel", run.id, {"state": state.value}, {"state": run.state}, project=run.project
        )
    return [run.prefect_flow_run_id] if run.prefect_flow_run_id else []
