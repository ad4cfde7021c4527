"""The life of a run. This file alone changes a run's state; every change is an event row and a notification.

A terminal state has no way out. A crash of an attempt is not the end of the run while attempts are left.
"""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import notify
from app.models import Run
from app.queries import events, outbox, runs
from app.services import notices
from app.services.problems import not_found
from workers.specs.events import TERMINAL, RunState

_Q, _R, _P, _X = RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.CANCELLING

TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    _Q: frozenset({_R, _X, *TERMINAL}),
    _R: frozenset({_Q, _P, _X, *TERMINAL}),
    _P: frozenset({_Q, _R, _X, *TERMINAL}),
    _X: frozenset({RunState.CANCELLED, RunState.COMPLETED}),
    **{state: frozenset() for state in TERMINAL},
}
"""From a state to those that may follow. Back to queued leads a new attempt only."""

_RETRY_SECONDS = (0.0, 5.0, 15.0, 30.0, 60.0)


def settle(state: RunState, reported: RunState) -> RunState | None:
    """The state that follows when a source reports one; None: nothing changes.

    Whatever ends a run that is being cancelled has cancelled it, unless it was completed before.
    """
    if state is RunState.CANCELLING and reported in {RunState.FAILED, RunState.CRASHED}:
        reported = RunState.CANCELLED
    if reported is state or reported is RunState.QUEUED or reported not in TRANSITIONS[state]:
        return None
    return reported


def retry_delay(attempt: int) -> float:
    """Seconds to wait before the attempt after this one (the first is 1)."""
    return _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS)) - 1]


async def locked(session: AsyncSession, run_id: str) -> Run:
    """The run, locked for this transaction. Raises a 404 problem."""
    run = await runs.lock(session, run_id)
    if run is None:
        raise not_found("run", run_id)
    return run


async def report(session: AsyncSession, run: Run, reported: RunState, error: str | None = None) -> bool:
    """What a source saw of the run. A crash gives a new attempt while there are any. Returns whether it changed."""
    state = settle(RunState(run.state), reported)
    if state is None:
        return False
    if state is RunState.CRASHED:
        return await crash(session, run, error or "its process died")
    if state is RunState.CANCELLED:
        error = None
    return await change(session, run, state, error or "", error)


async def crash(session: AsyncSession, run: Run, reason: str) -> bool:
    """An attempt died without a word of its own. A new attempt, or the end when none is left."""
    state = settle(RunState(run.state), RunState.CRASHED)
    if state is not RunState.CRASHED:
        return state is not None and await change(session, run, state, "cancelled; its process is gone")
    await notices.attempt_died(session, run, reason)
    if run.attempt >= run.max_attempts:
        words = f"{reason}; it was attempt {run.attempt} of {run.max_attempts}"
        return await change(session, run, RunState.CRASHED, words, reason)
    await runs.set_attempt(session, run, state="crashed", ended_at=datetime.now(UTC), error=reason)
    delay = retry_delay(run.attempt)
    message = f"attempt {run.attempt} of {run.max_attempts} ended: {reason}; attempt {run.attempt + 1} follows"
    run.attempt += 1
    run.prefect_flow_run_id = None
    run.placed_at = None
    run.heartbeat_at = None
    run.submit_after = runs.in_seconds(delay)
    await session.flush()
    await runs.add_attempt(session, run)
    await events.add(session, run, "retry", message, "warning", reason=reason, delay_seconds=delay)
    if run.state == RunState.QUEUED:
        return await explain(session, run, message)
    return await change(session, run, RunState.QUEUED, message)


async def change(session: AsyncSession, run: Run, state: RunState, reason: str = "", error: str | None = None) -> bool:
    """Set the state of a locked run. Raises ValueError where there is no way."""
    before = RunState(run.state)
    if state not in TRANSITIONS[before]:
        raise ValueError(f"run {run.id} cannot go from {before.value} to {state.value}")
    moment = datetime.now(UTC)
    if state is RunState.CANCELLED and not reason:
        reason = run.state_reason  # why it was cancelled
    run.state, run.state_reason = state.value, reason[:2000]
    if error:
        run.error = error[:20_000]
    values: dict[str, object] = {"state": state.value}
    if state is RunState.RUNNING:
        run.started_at = run.started_at or moment
        values["started_at"] = moment
    if state.terminal:
        run.finished_at = moment
        values |= {"ended_at": moment, "error": error}
    if state is not RunState.QUEUED:  # a new attempt has its own row already
        await runs.set_attempt(session, run, **values)
    level = "error" if state in {RunState.FAILED, RunState.CRASHED} else "info"
    message = f"{before.value} -> {state.value}" + (f": {reason}" if reason else "")
    await events.add(session, run, "state", message[:20_000], level, before=before.value, after=state.value)
    await outbox.append(session, run.id, "state", {"state": state.value})
    if state.terminal:
        await notices.run_ended(session, run, error)
    await session.flush()
    await announce(session, run, "event")
    return True


async def explain(session: AsyncSession, run: Run, reason: str) -> bool:
    """Say why the run is in its state; no event. Returns whether that is news."""
    if run.state_reason == reason:
        return False
    run.state_reason = reason[:2000]
    await session.flush()
    await announce(session, run)
    return True


async def announce(session: AsyncSession, run: Run, *kinds: str) -> None:
    """Tell listeners that the run has changed, and what else has; sent when the transaction commits."""
    for kind in ("run", *kinds):
        await notify(session, run.id, run.project, kind)
