"""Rules: which findings call for which ladder of actions."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from workers.specs.base import Spec
from workers.specs.monitoring.actions import Action
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
