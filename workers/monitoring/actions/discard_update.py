"""Do not apply this step's gradient: the batch is lost, the weights stay good."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import DiscardUpdate


def act(spec: DiscardUpdate, situation: Situation, plan: Plan) -> Change | None:
    """None where the weights have changed already."""
    if situation.updated:
        return None
    plan.decision.discard_update = True
    return Change(spec.kind)
