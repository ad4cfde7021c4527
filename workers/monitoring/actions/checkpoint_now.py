"""Write a checkpoint."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import CheckpointNow


def act(spec: CheckpointNow, situation: Situation, plan: Plan) -> Change | None:
    """After the step, so that it holds whole steps."""
    plan.decision.checkpoint = True
    return Change(spec.kind)
