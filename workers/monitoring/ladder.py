"""The policy at work: whose turn it is on which ladder, budgets, and cool-downs."""

from collections.abc import Mapping
from typing import Any

from workers.specs.monitoring.actions import Action
from workers.specs.monitoring.policy import Policy
from workers.specs.monitoring.rules import Rule


class Ladders:
    """Counts interventions by rule. `next_rung` looks, `count` takes."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        by_name = {rule.name: rule for rule in policy.rules}
        self._rules = {kind: rule for rule in policy.rules for kind in rule.findings}
        self._rungs = {rule.name: _whole_ladder(rule, by_name) for rule in policy.rules}
        self.num_used = 0
        """Interventions since the budget was last renewed."""
        self._used: dict[str, int] = {}
        self._rests_until: dict[str, int] = {}

    def rule(self, kind: str) -> Rule | None:
        """The rule that answers a finding of this kind."""
        return self._rules.get(kind)

    def rests(self, rule: Rule, step: int) -> bool:
        """Does the rule keep still at `step`?"""
        return step < self._rests_until.get(rule.name, 0)

    def rest(self, rule_name: str, until_step: int) -> None:
        """Keep a rule still before `until_step`."""
        self._rests_until[rule_name] = max(until_step, self._rests_until.get(rule_name, 0))

    def rung(self, rule: Rule, index: int, *, updated: bool) -> tuple[int, list[Action]]:
        """The rung of this index or, where it can do nothing, the next that can; the last one is repeated.

        `updated`: the weights have changed already, so that discarding the update is no help.
        """
        rungs = self._rungs[rule.name]
        index = min(index, len(rungs) - 1)
        while updated and index < len(rungs) - 1 and not any(a.kind not in _BEFORE for a in rungs[index]):
            index += 1
        return index, rungs[index]

    def exhausted(self, rule: Rule) -> tuple[str, str] | None:
        """What follows when a budget is used up (`pause`, `stop`, `report`), and whose budget it was."""
        if self.num_used >= self.policy.budget:
            return self.policy.at_end, f"The budget of {self.policy.budget} interventions"
        if self._used.get(rule.name, 0) >= rule.budget:
            return rule.at_end, f"The budget of {rule.budget} interventions of rule {rule.name}"
        return None

    def count(self, rule: Rule, step: int) -> None:
        """The rule has acted at `step`."""
        self.num_used += 1
        self._used[rule.name] = self._used.get(rule.name, 0) + 1
        if rule.cooldown_steps:
            self.rest(rule.name, step + rule.cooldown_steps)

    def renew(self) -> None:
        """A person grants a new budget."""
        self.num_used, self._used = 0, {}

    def state_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"num_used": self.num_used, "used": dict(self._used), "rests_until": dict(self._rests_until)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self.num_used, self._used = int(state["num_used"]), dict(state["used"])
        self._rests_until = dict(state["rests_until"])


_BEFORE = frozenset({"discard_update", "skip_batches"})
"""Actions that cure nothing once a bad update was made."""


def _whole_ladder(rule: Rule, by_name: Mapping[str, Rule]) -> list[list[Action]]:
    """The rungs of a rule and of those that follow it."""
    rungs, following = list(rule.rungs), rule.then
    while following is not None:
        rungs += by_name[following].rungs
        following = by_name[following].then
    return rungs
