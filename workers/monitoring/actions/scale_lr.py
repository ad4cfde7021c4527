"""Lower the learning rate, harder each time while the update norm says that it is the cause."""

from workers.monitoring.actions._shared import Change, Situation
from workers.monitoring.telemetry import Decision

DATA_LEVELS = 3
"""With a bad batch as the likely cause, so many interventions pass before the rate is lowered again: a burst of bad
data must not leave the run with a rate near zero."""


def act(situation: Situation, decision: Decision) -> Change | None:
    """`after.lr_scale` is the new scale, never under the spec's least. None when nothing changes."""
    if situation.cause == "update":
        factor = situation.response.lr_factor ** (situation.level + 1)
    elif situation.cause == "data" and 0 < situation.level < DATA_LEVELS:
        factor = 1.0
    else:
        factor = situation.response.lr_factor
    scale = min(situation.lr_scale, max(situation.lr_scale * factor, situation.min_lr_scale))
    if scale == situation.lr_scale:
        return None
    return Change("scale_lr", before={"lr_scale": situation.lr_scale}, after={"lr_scale": scale})
