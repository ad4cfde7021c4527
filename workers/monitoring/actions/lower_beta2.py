"""Lower beta2: the second moment follows the gradient faster, so that a spike is damped sooner. arXiv 2304.13013"""

from dataclasses import replace

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import LowerBeta2


def act(spec: LowerBeta2, situation: Situation, plan: Plan) -> Change | None:
    """None when it is as low already. The trainer never raises it above the spec's."""
    before = plan.settings.beta2
    if before is not None and before <= spec.value:
        return None
    plan.settings = replace(plan.settings, beta2=spec.value)
    return Change(spec.kind, before={"beta2": before}, after={"beta2": spec.value})
