"""Go back to the last good checkpoint: one that was saved before anything was wrong."""

from workers.monitoring.actions._shared import Change, Situation
from workers.monitoring.telemetry import Decision


def act(situation: Situation, decision: Decision) -> Change | None:
    """Asks for the roll-back. `after.step` is added when the trainer says where it led. None when not wanted."""
    if not situation.response.rollback:
        return None
    decision.rollback = True
    decision.rollback_before_step = situation.return_before
    return Change("rollback", before={"step": situation.step})
