"""Write a checkpoint and wait for a person."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import Pause


def act(spec: Pause, situation: Situation, plan: Plan) -> Change | None:
    """The message says why."""
    plan.decision.discard_update = True  # whatever is decided, it is decided on weights that are as they were
    plan.hold = f"Paused by the policy at step {situation.step}: {situation.message}. Resume or stop the run."
    return Change(spec.kind)
