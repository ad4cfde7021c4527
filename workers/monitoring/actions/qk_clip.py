"""QK-clip on: heads whose attention logits exceed a limit get smaller queries. Kimi K2, arXiv 2507.20534"""

from dataclasses import replace

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import QkClip


def act(spec: QkClip, situation: Situation, plan: Plan) -> Change | None:
    """None when as low a limit is set already."""
    before, limit = plan.settings.max_logit, spec.max_logit
    if spec.to_level and situation.baseline and situation.kind == "attention_logits":
        limit = min(limit, 2 * situation.baseline)
    if before is not None and before <= limit:
        return None
    plan.settings = replace(plan.settings, max_logit=limit)
    return Change(spec.kind, before={"max_logit": before}, after={"max_logit": limit})
