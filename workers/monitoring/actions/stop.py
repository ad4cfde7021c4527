"""Write a checkpoint and end the run as failed."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import Stop


def act(spec: Stop, situation: Situation, plan: Plan) -> Change | None:
    """The message says why."""
    plan.decision.stop = f"Stopped by the policy at step {situation.step}: {situation.message}."
    plan.decision.discard_update = True
    return Change(spec.kind)
