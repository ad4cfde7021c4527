"""The policy: which finding calls for which ladder of actions, within which budgets."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from workers.specs.base import Spec
from workers.specs.monitoring.actions import (
    Action,
    DiscardUpdate,
    QkClip,
    ResetMoments,
    Rollback,
    ScaleLr,
    SkipBatches,
    TightenClip,
)
from workers.specs.monitoring.detectors import FindingKind

OPPOSITES = ({"tighten_clip", "loosen_clip"}, {"pause", "stop"})


def _no_contradiction(rung: list[Action]) -> list[Action]:
    kinds = [action.kind for action in rung]
    if twice := {kind for kind in kinds if kinds.count(kind) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))} stands twice on one rung")
    for pair in OPPOSITES:
        if pair <= set(kinds):
            raise ValueError(f"{' and '.join(sorted(pair))} contradict each other on one rung")
    return rung


Rung = Annotated[list[Action], Field(min_length=1), AfterValidator(_no_contradiction)]
"""Actions that are carried out together."""


class Rule(Spec):
    """What is done about some kinds of findings: a ladder that is climbed while the trouble returns."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    """What people call it; interventions name it."""
    findings: list[FindingKind] = Field(min_length=1)
    """Findings that it answers. No other rule may answer them."""
    rungs: list[Rung] = Field(min_length=1, max_length=16)
    """From the mildest to the hardest. Each is verified; the next follows when the run is not recovered."""
    then: str | None = None
    """Rule whose rungs follow the last one. None: the last rung is repeated."""
    budget: int = Field(6, ge=1)
    """Interventions of this rule a run may have."""
    verify_steps: int | None = Field(None, ge=1)
    """Own verify window; none: the policy's."""
    cooldown_steps: int = Field(0, ge=0)
    """Steps after an intervention in which this rule does not act again; findings are still told."""
    at_end: Literal["pause", "stop", "report"] = "pause"
    """What happens when its budget is used up. `report`: findings are told and nothing is done."""


def default_rules() -> list[Rule]:
    """What the controller does unless told otherwise; the same as the preset `policies/default`."""
    return [
        Rule(
            name="non-finite",
            findings=["non_finite"],
            rungs=[
                [DiscardUpdate()],
                [Rollback(), SkipBatches(num_batches=4)],
                [Rollback(), SkipBatches(num_batches=16), ScaleLr(recover_steps=100)],
                [Rollback(margin_steps=20), SkipBatches(num_batches=64), ScaleLr(), ResetMoments()],
            ],
        ),
        Rule(
            name="odd-batch",
            findings=["odd_batch"],
            rungs=[
                [DiscardUpdate(), SkipBatches(num_batches=4)],
                [DiscardUpdate(), SkipBatches(num_batches=16)],
                [DiscardUpdate(), SkipBatches(num_batches=64)],
            ],
            at_end="report",
        ),
        Rule(
            name="loss-spike",
            findings=["loss_spike"],
            rungs=[
                [Rollback(), SkipBatches(num_batches=4)],
                [
                    Rollback(),
                    SkipBatches(num_batches=16),
                    ScaleLr(recover_steps=100),
                    TightenClip(recover_steps=100),
                ],
                [Rollback(margin_steps=20), SkipBatches(num_batches=64), ScaleLr()],
                [Rollback(margin_steps=20), ScaleLr(), ResetMoments()],
            ],
        ),
        Rule(
            name="gradient-spike",
            findings=["gradient_spike"],
            rungs=[
                [Rollback(), SkipBatches(num_batches=4), TightenClip(recover_steps=100)],
                [Rollback(), SkipBatches(num_batches=16), ScaleLr(recover_steps=100)],
                [Rollback(margin_steps=20), ScaleLr(factor=0.25), ResetMoments()],
            ],
        ),
        Rule(
            name="update-spike",
            findings=["update_spike"],
            rungs=[
                [Rollback(margin_steps=0), ScaleLr(to_level=True, recover_steps=200)],
                [Rollback(), ScaleLr(to_level=True)],
                [Rollback(margin_steps=20), ScaleLr(factor=0.25), ResetMoments()],
            ],
        ),
        Rule(
            name="attention-logits",
            findings=["attention_logits"],
            rungs=[
                [QkClip()],
                [Rollback(), QkClip()],
                [Rollback(margin_steps=20), QkClip(), ScaleLr(recover_steps=200)],
            ],
        ),
        Rule(
            name="divergence",
            findings=["divergence"],
            rungs=[
                [Rollback(), ScaleLr()],
                [Rollback(margin_steps=20), ScaleLr(factor=0.25)],
                [Rollback(margin_steps=20), ScaleLr(factor=0.25), ResetMoments()],
            ],
        ),
    ]


class Policy(Spec):
    """Findings, ladders of actions, and how much of it a run may have."""

    rules: list[Rule] = Field(default_factory=default_rules)
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
