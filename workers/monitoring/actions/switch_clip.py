"""Clip in another way from now on."""

from dataclasses import replace

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import SwitchClip


def act(spec: SwitchClip, situation: Situation, plan: Plan) -> Change | None:
    """None when it was done before."""
    before = plan.settings.clipping
    if before == spec.to:
        return None
    plan.settings = replace(plan.settings, clipping=spec.to)
    return Change(spec.kind, before={"clipping": before or "as in the spec"}, after={"clipping": spec.to})
