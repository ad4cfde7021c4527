"""Loosen gradient clipping: a clip that fires at every step is a lower learning rate by another name."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import LoosenClip

MAX_CLIP_SCALE = 64.0


def act(spec: LoosenClip, situation: Situation, plan: Plan) -> Change | None:
    """`after.clip_scale` is the new scale. None when nothing changes."""
    before = plan.clip.value
    scale = max(before, min(before * spec.factor, MAX_CLIP_SCALE))
    if scale == before:
        return None
    plan.clip.move(scale, 0)
    return Change(spec.kind, before={"clip_scale": before}, after={"clip_scale": scale})
