"""Learn less from one source of the mixture: its data have changed, or harm the others."""

from dataclasses import replace

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import LowerSource

PREFIX = "loss/"
MIN_SHARE = 0.01


def act(spec: LowerSource, situation: Situation, plan: Plan) -> Change | None:
    """`after.source_share` is what counts from now on. None when the finding is about no source, or nothing changes."""
    if not situation.series.startswith(PREFIX):
        return None
    source = situation.series.removeprefix(PREFIX)
    before = plan.settings.source_shares.get(source, 1.0)
    share = before * spec.factor if before * spec.factor >= MIN_SHARE else 0.0
    if share == before:
        return None
    plan.settings = replace(plan.settings, source_shares={**plan.settings.source_shares, source: share})
    return Change(spec.kind, before={"source": source, "source_share": before}, after={"source_share": share})
