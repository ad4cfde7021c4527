"""The policy: rules, and how much of them a run may have."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from workers.specs.base import Spec
from workers.specs.monitoring.default_rules import DEFAULT_RULES
from workers.specs.monitoring.rules import Rule


class Policy(Spec):
    """Findings, ladders of actions, and how much of it a run may have."""

    rules: list[Rule] = DEFAULT_RULES
    """A finding that no rule answers is told, and nothing else."""
    verify_steps: int = Field(40, ge=1)
    """Steps within which the loss must be back under its level before the finding. A finding later than that begins
    its ladder anew."""
    budget: int = Field(12, ge=1)
    """Interventions a run may have. When they are used up, a checkpoint is written and `at_end` follows."""
    at_end: Literal["pause", "stop"] = "pause"
    """`pause` waits for a person, who may resume with a new budget; without a service to ask it stops the run."""
    min_lr_scale: float = Field(0.01, gt=0, le=1)
    """The controller never scales the learning rate below this."""
    approval_seconds: float = Field(3600.0, gt=0)
    """In mode `approve`: after this time without an answer a reminder is written. The run stays paused."""

    @field_validator("rules")
    @classmethod
    def _ladders_end(cls, rules: list[Rule]) -> list[Rule]:
        by_name = {rule.name: rule for rule in rules}
        if len(by_name) < len(rules):
            twice = sorted({rule.name for rule in rules if [r.name for r in rules].count(rule.name) > 1})
            raise ValueError(f"two rules are called {', '.join(twice)}")
        for rule in rules:
            if rule.then is not None and rule.then not in by_name:
                raise ValueError(
                    f"rule {rule.name}: then: there is no rule {rule.then}; there are {', '.join(by_name)}"
                )
            seen = [rule.name]
            while (following := by_name[seen[-1]].then) is not None:
                if following in seen:
                    raise ValueError(f"rule {rule.name}: its ladder is a circle: {' -> '.join([*seen, following])}")
                seen.append(following)
        return rules

    @field_validator("rules")
    @classmethod
    def _one_answer(cls, rules: list[Rule]) -> list[Rule]:
        answers: dict[str, str] = {}
        for rule in rules:
            for kind in rule.findings:
                if answers.setdefault(kind, rule.name) != rule.name:
                    raise ValueError(f"rules {answers[kind]} and {rule.name} both answer {kind}")
        return rules

    @model_validator(mode="after")
    def _budgets_are_possible(self) -> Self:
        for number, rule in enumerate(self.rules):
            if "budget" in rule.model_fields_set and rule.budget > self.budget:
                raise ValueError(
                    f"rules/{number}/budget: rule {rule.name} may have {rule.budget} interventions, "
                    f"the whole run only {self.budget} (budget)"
                )
            if rule.budget < len(rule.rungs):
                raise ValueError(
                    f"rules/{number}/budget: {rule.budget} interventions never reach the last of the "
                    f"{len(rule.rungs)} rungs of rule {rule.name}"
                )
        return self
