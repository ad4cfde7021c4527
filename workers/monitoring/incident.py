"""An incident: a finding, the interventions that follow it, and whether the loss came back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from workers.monitoring.detectors._shared import encode
from workers.specs.events import Intervention

Outcome = Literal["recovered", "not_recovered", "no_checkpoint", "rejected"]
NUM_SMOOTHED = 8
"""Losses whose median is held against the level before the finding."""


@dataclass(slots=True)
class Incident:
    """One trouble, from its first onset until no finding has followed for `verify_steps`."""

    first_onset: int
    onset: int
    """Onset of the newest finding."""
    level: int
    """Interventions before the newest one."""
    loss_level: float | None
    """Log of the loss before the first onset; None: there was no loss yet."""
    margin: float
    intervention: Intervention
    """The newest one."""
    verify_from: int
    """First step whose loss counts."""
    verify_steps: int
    rule: str
    """Of the newest intervention."""
    spoilt: bool
    """Bad updates stay in the weights: the loss needs its time."""
    rungs: dict[str, int] = field(default_factory=dict)
    """Next rung of each rule that has acted."""
    losses: list[float] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Is the outcome still to come?"""
        return self.intervention.outcome == "verifying"

    def verify(self, step: int, loss: float) -> Intervention | None:
        """Take in the loss of a finished step. The intervention when its outcome is now known."""
        if not self.open or step < self.verify_from:
            return None
        self.losses = [*self.losses, loss][-NUM_SMOOTHED:]
        if len(self.losses) >= min(NUM_SMOOTHED, self.verify_steps) and self._is_back():
            return self.close("recovered", step)
        if step >= self.verify_from + self.verify_steps - 1:
            return self.close("not_recovered", step)
        return None

    def _is_back(self) -> bool:
        if not all(math.isfinite(loss) for loss in self.losses):
            return False
        smoothed = math.log(max(float(np.median(self.losses)), 1e-12))
        return self.loss_level is None or smoothed <= self.loss_level + self.margin

    def mutes(self, step: int, series: str) -> bool:
        """Is a spoilt loss (or gradient) given its time? The update norm needs none."""
        return self.spoilt and series in {"loss", "grad_norm"} and step < self.verify_from + self.verify_steps

    def close(self, outcome: Outcome, step: int) -> Intervention:
        """Write the outcome into the intervention. Returns a copy to report."""
        self.intervention.outcome, self.intervention.outcome_step = outcome, step
        if self.losses:
            self.intervention.evidence["loss_after"] = encode(float(np.median(self.losses)))
        return self.intervention.model_copy(deep=True)

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "first_onset": self.first_onset,
            "onset": self.onset,
            "level": self.level,
            "loss_level": self.loss_level,
            "margin": self.margin,
            "intervention": self.intervention.model_dump(mode="json"),
            "verify_from": self.verify_from,
            "verify_steps": self.verify_steps,
            "rule": self.rule,
            "spoilt": self.spoilt,
            "rungs": dict(self.rungs),
            "losses": [encode(loss) for loss in self.losses],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Incident":
        """The inverse of `state_dict`."""
        return cls(
            **{
                **state,
                "intervention": Intervention.model_validate(state["intervention"]),
                "losses": [float(loss) for loss in state["losses"]],
            }
        )
