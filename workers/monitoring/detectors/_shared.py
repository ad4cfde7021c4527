"""What all detectors share: the sighting, their interface, and floats that survive strict JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

MAD_TO_SIGMA = 1.4826
SERIES = ("loss", "grad_norm", "update_norm", "weight_norm")
"""The series that each step has, in the order in which it makes them."""


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

    kind: str

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Judge the figures of a moment, then learn from them.

        A step has two moments, before and after its update; each brings its own series. `lr_scale` is the
        controller's part of the rate; `scheduled_lr`, where it stands in `values`, the spec's.
        """
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


def median(values: Sequence[float]) -> float:
    """The median; of an even number the mean of the middle two."""
    # Sorting so short a list is several times faster than numpy's median, and this runs at each step.
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def robust_z(value: float, past: Sequence[float], floor: float, enough: float = -math.inf) -> float:
    """Distance from the median in robust standard deviations (MAD), which count as `floor` at least.

    enough: where the score is no higher, a figure that is no higher either will do; most scores cost half that way.
    """
    if math.isinf(value):
        return math.inf
    centre = median(past)
    if enough >= 0 and (value - centre) / floor <= enough:
        return (value - centre) / floor
    return (value - centre) / max(MAD_TO_SIGMA * median([abs(x - centre) for x in past]), floor)
