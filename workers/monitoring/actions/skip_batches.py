"""Leave out batches: those already seen since the onset, and a margin that doubles while the trouble returns."""

from workers.monitoring.actions._shared import Change, Situation
from workers.monitoring.telemetry import Decision

MAX_MARGIN = 1024


def act(situation: Situation, decision: Decision) -> Change | None:
    """Skips nothing once the learning rate is known to be the cause: then the batches are innocent."""
    margin = situation.response.skip_batches
    if not margin or (situation.cause == "update" and situation.level > 0):
        return None
    margin = min(margin * 2**situation.level, max(MAX_MARGIN, margin))
    seen = situation.step - situation.onset + 1
    decision.skip_batches = seen + margin
    return Change("skip_batches", after={"skip_batches": decision.skip_batches})
