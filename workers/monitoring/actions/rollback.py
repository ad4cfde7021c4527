"""Go back to the last good checkpoint: one that was saved before anything was wrong, and confirmed by quiet steps."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import Rollback


def act(spec: Rollback, situation: Situation, plan: Plan) -> Change | None:
    """Asks for the roll-back. `after.step` is added when the trainer says where it led."""
    plan.decision.rollback = plan.decision.discard_update = True
    plan.decision.rollback_before_step = max(situation.return_before - spec.margin_steps, 0)
    return Change(spec.kind, before={"step": situation.step})
