"""What is to be done with a run, given what Prefect says of it and how long its worker has been silent. Pure."""

from dataclasses import dataclass
from enum import Enum

from app.services.orchestrator import FlowRunState
from workers.specs.events import RunState

GRACE_SECONDS = 15.0
"""Time for a worker's own word to arrive after Prefect has said that its flow run is over."""
START_SECONDS = 120.0
"""Least time from the start of a process to its first word: it loads Prefect and torch, on a machine at work."""


class Action(Enum):
    """What the reconciler does."""

    NOTHING = "nothing"
    EXPLAIN = "explain"
    """Say why it waits."""
    CRASH = "crash"
    """This attempt is dead: a new one, or the end."""
    END = "end"
    """Set the state that Prefect reports."""
    CANCEL = "cancel"
    """Ask Prefect (again) to cancel."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An action, the state that it leads to where that is open, and the reason in words."""

    action: Action
    reason: str = ""
    state: RunState | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at an active run that has a flow run."""

    state: RunState
    pool: str
    flow_run: FlowRunState | None
    """None: Prefect does not know it."""
    num_workers: int
    """Live workers of its pool."""
    unchanged_seconds: float
    """How long run and flow run have been seen like this."""
    silent_seconds: float
    """Time since its worker was heard of, as far as we could have heard it."""
    dead_after_seconds: float


_NOTHING = Verdict(Action.NOTHING)
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def no_worker(pool: str) -> str:
    """Why a run of this pool waits, and what to do."""
    return f"no worker online for pool {pool}: start one with `headrace worker --pool {pool}`"


def judge(seen: Observation) -> Verdict:
    """What to do with the run."""
    if seen.state is RunState.CANCELLING:
        return _judge_cancelling(seen)
    if seen.flow_run is None:
        return Verdict(Action.CRASH, "Prefect no longer knows its flow run") if _is_over(seen) else _NOTHING
    if seen.flow_run.type in _ENDED:
        return _judge_ended(seen, seen.flow_run)
    if seen.state is RunState.QUEUED:
        return _judge_queued(seen, seen.flow_run)
    if seen.silent_seconds > seen.dead_after_seconds:
        return Verdict(Action.CRASH, f"its worker has been silent for {seen.silent_seconds:.0f} s")
    return _NOTHING


def _is_over(seen: Observation) -> bool:
    # a flow run that was deleted may still compute: as long as its worker is heard, it lives
    return seen.silent_seconds > (GRACE_SECONDS if seen.state is RunState.QUEUED else seen.dead_after_seconds)


def _judge_cancelling(seen: Observation) -> Verdict:
    if seen.flow_run is None or seen.flow_run.type in _ENDED:
        return Verdict(Action.END, "", RunState.CANCELLED)
    if seen.unchanged_seconds > seen.dead_after_seconds:
        return Verdict(Action.END, "its worker did not answer the cancellation", RunState.CANCELLED)
    return _NOTHING if seen.flow_run.type == "CANCELLING" else Verdict(Action.CANCEL)


def _judge_ended(seen: Observation, flow_run: FlowRunState) -> Verdict:
    if flow_run.type == "CANCELLED":
        return Verdict(Action.END, "cancelled in Prefect", RunState.CANCELLED)
    if flow_run.type == "CRASHED":
        return Verdict(Action.CRASH, flow_run.message or "its process died")
    # The worker says itself how it ended. Where it did not, something between it and us broke.
    if seen.unchanged_seconds <= GRACE_SECONDS:
        return _NOTHING
    if flow_run.type == "COMPLETED" and seen.state is not RunState.QUEUED:
        return Verdict(Action.END, "completed in Prefect; its worker did not report the end", RunState.COMPLETED)
    return Verdict(Action.CRASH, flow_run.message or f"its flow run ended as {flow_run.type.lower()} without a report")


def _judge_queued(seen: Observation, flow_run: FlowRunState) -> Verdict:
    if flow_run.type in {"PENDING", "RUNNING"}:
        if seen.unchanged_seconds > max(seen.dead_after_seconds, START_SECONDS):
            return Verdict(Action.CRASH, f"it was started, but said nothing for {seen.unchanged_seconds:.0f} s")
        return Verdict(Action.EXPLAIN, "starting")
    if not seen.num_workers:
        return Verdict(Action.EXPLAIN, no_worker(seen.pool))
    return Verdict(Action.EXPLAIN, f"waiting for a worker of pool {seen.pool}")
