"""Raise the optimizers' epsilon: entries with tiny second moments get smaller updates. arXiv 2309.14322"""

from dataclasses import replace

from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import RaiseEpsilon

MAX_FACTOR = 1e6


def act(spec: RaiseEpsilon, situation: Situation, plan: Plan) -> Change | None:
    """`after.epsilon_factor` multiplies the spec's. None at a million times."""
    before = plan.settings.epsilon_factor
    factor = min(before * spec.factor, MAX_FACTOR)
    if factor == before:
        return None
    plan.settings = replace(plan.settings, epsilon_factor=factor)
    return Change(spec.kind, before={"epsilon_factor": before}, after={"epsilon_factor": factor})
