"""Forget the optimizer's moments, which a bad stretch has spoilt, and warm the rate up again. arXiv 2501.06842"""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import ResetMoments


def act(spec: ResetMoments, situation: Situation, plan: Plan) -> Change | None:
    """The re-warm-up begins at once, at a tenth of the rate."""
    plan.decision.reset_moments = True
    plan.lr.rewarm(spec.rewarm_steps, situation.min_lr_scale)
    return Change(spec.kind, after={"rewarm_steps": spec.rewarm_steps})
