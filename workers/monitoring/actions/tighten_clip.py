"""Tighten gradient clipping, once for each incident, and again while gradients stay the cause."""

from workers.monitoring.actions._shared import Change, Situation
from workers.monitoring.telemetry import Decision

MIN_CLIP_SCALE = 1 / 16
"""Under this every batch would be clipped and the gradient be little more than its direction."""


def act(situation: Situation, decision: Decision) -> Change | None:
    """`after.clip_scale` is the new scale. None when nothing changes."""
    if situation.level > 0 and situation.cause in {"data", "update"}:
        return None
    scale = min(situation.clip_scale, max(situation.clip_scale * situation.response.clip_factor, MIN_CLIP_SCALE))
    if scale == situation.clip_scale:
        return None
    return Change("tighten_clip", before={"clip_scale": situation.clip_scale}, after={"clip_scale": scale})
