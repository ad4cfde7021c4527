"""Loss, gradient, update or weight is NaN or infinite: one step is enough."""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._shared import SERIES, Sighting
from workers.specs.monitoring import NonFinite


class NonFiniteDetector:
    """Speaks at once, keeps no state."""

    kind = "non_finite"

    def __init__(self, spec: NonFinite) -> None:
        self.spec = spec

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """One sighting for each series that is not a finite number."""
        return [
            Sighting(
                detector=self.kind,
                series=series,
                step=step,
                onset=step,
                value=value,
                severity="critical",
                message=f"{series} is {value} at step {step}",
            )
            for series, value in values.items()
            if series in SERIES and not math.isfinite(value)
        ]

    def pending(self) -> list[tuple[int, str]]:
        """Never any: it needs no second look."""
        return []

    def rewind(self, step: int) -> None:
        """Nothing to forget."""

    def state_dict(self) -> dict[str, object]:
        """Empty."""
        return {}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Nothing to take up."""
