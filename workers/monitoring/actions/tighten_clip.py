"""Tighten gradient clipping."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import TightenClip

MIN_CLIP_SCALE = 1 / 16
"""Under this every batch would be clipped and the gradient be little more than its direction."""


def act(spec: TightenClip, situation: Situation, plan: Plan) -> Change | None:
    """`after.clip_scale` is the new scale. None when nothing changes."""
    before = plan.clip.value
    scale = min(before, max(before * spec.factor, MIN_CLIP_SCALE))
    if scale == before:
        return None
    plan.clip.move(scale, spec.recover_steps)
    return Change(spec.kind, before={"clip_scale": before}, after={"clip_scale": scale})
