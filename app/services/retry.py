"""A run that failed, crashed or was cancelled is taken up by a new run: a state that is terminal has no way out."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Run
from app.queries import events
from app.schemas import LaunchRequest
from app.services import launch, lifecycle
from app.services.problems import conflict
from workers.specs.events import RunState


async def retry(session: AsyncSession, run_id: str, author: str) -> Run:
    """The row of a new run with the same spec, which goes on from the newest checkpoint of the old one.

    A pipeline takes over the stages that were completed. Raises problems: 404, 409 for a run that has not ended or has
    completed, 422 for a spec that this version does not know any more.
    """
    old = await lifecycle.locked(session, run_id)
    state = RunState(old.state)
    if not state.terminal:
        raise conflict("run-active", f"Run {old.name!r} is {old.state}: it has not ended.")
    if state is RunState.COMPLETED:
        raise conflict("run-completed", f"Run {old.name!r} has completed: clone it (`headrace clone`) to run it again.")
    request = LaunchRequest.model_validate(
        {"spec": old.spec, "name": old.name, "priority": old.priority, "tags": old.tags}
        | {"max_attempts": old.max_attempts, "keep_raw_days": old.keep_raw_days}
    )
    run = await launch.create(session, request, author, retry_of=old.id)
    await events.add(session, old, "note", f"taken up by run {run.id}", run_id=run.id)
    await events.add(session, run, "note", f"goes on where run {old.id} ended", run_id=old.id)
    await lifecycle.announce(session, old, "event")
    return run
