"""What all detectors share: the sighting, their interface, and floats that survive strict JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

SERIES = ("loss", "grad_norm", "update_norm")
"""The watched series, in the order in which a step makes them."""


@dataclass(slots=True, frozen=True)
class Sighting:
    """One series went wrong."""

    detector: str
    series: str
    step: int
    onset: int
    """First step that was over the threshold; `step` is `patience_steps - 1` later."""
    value: float
    severity: Literal["warning", "critical"]
    message: str
    z: float | None = None
    threshold: float | None = None
    baseline: float | None = None
    """What the series was before, in its own unit."""


class Detector(Protocol):
    """A pure state machine over the steps of a run."""

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Judge one step's figures, then learn from them. `lr_scale` is the controller's part of the rate."""
        ...

    def pending(self) -> list[tuple[int, str]]:
        """(onset, series) of all series that are over their threshold now."""
        ...

    def rewind(self, step: int) -> None:
        """Forget everything from `step` on: training has gone back to it."""
        ...

    def state_dict(self) -> dict[str, object]:
        """JSON-able state."""
        ...

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take up a state from `state_dict`."""
        ...


def encode(value: float) -> float | str:
    """A float for strict JSON: NaN and infinities as the strings that `float` reads."""
    return value if math.isfinite(value) else str(value)
