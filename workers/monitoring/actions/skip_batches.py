"""Leave out batches: those already seen since the onset, and a margin after them."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import SkipBatches


def act(spec: SkipBatches, situation: Situation, plan: Plan) -> Change | None:
    """`after.skip_batches` counts all of them."""
    plan.decision.skip_batches = situation.step - situation.onset + 1 + spec.num_batches
    return Change(spec.kind, after={"skip_batches": plan.decision.skip_batches})
