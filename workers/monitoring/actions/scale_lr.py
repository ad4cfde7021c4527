"""Lower the learning rate; it climbs back once the run is verified good, but only once in a run."""

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import ScaleLr


def act(spec: ScaleLr, situation: Situation, plan: Plan) -> Change | None:
    """`after.lr_scale` is the new scale, never under the policy's least. None when nothing changes."""
    before, factor = plan.lr.value, spec.factor
    if spec.to_level and situation.rise and situation.kind == "update_spike":
        factor = min(factor, 1 / situation.rise)
    scale = min(before, max(before * factor, situation.min_lr_scale))
    if scale == before:
        return None
    # Trouble after a climb says that the rate itself was the cause: from then on it stays where it works.
    plan.lr.move(scale, 0 if plan.lr.num_climbs else spec.recover_steps)
    after: dict[str, float] = {"lr_scale": scale}
    if plan.lr.waiting_steps:
        after["lr_recover_steps"] = plan.lr.waiting_steps
    return Change(spec.kind, before={"lr_scale": before}, after=after)
