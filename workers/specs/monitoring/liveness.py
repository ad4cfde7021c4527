"""What the scheduled monitoring flow looks for."""

from typing import Literal

from pydantic import Field

from workers.specs.base import Spec


class StallWatch(Spec):
    """What the scheduled monitoring flow looks for."""

    kind: Literal["stall_watch"] = "stall_watch"
    dead_after_seconds: float = Field(120.0, ge=5)
    """Silence of a running run's worker after which it counts as dead."""
    stalled_after_seconds: float = Field(600.0, ge=5)
    """Time without a new step after which a live run counts as stalled."""
    confirm_seconds: float = Field(20.0, ge=0)
    """Pause before a second look at what seems dead or stalled: after an outage of the service all seem so at first."""
    off_forecast_factor: float = Field(2.0, gt=1)
    """A run that will take so many times its forecast, and `off_forecast_seconds` more, is told."""
    off_forecast_seconds: float = Field(300.0, ge=0)
    """Time for the start of the process and for what a forecast leaves out."""
    forecast_after_share: float = Field(0.02, gt=0, lt=1)
    """Share of the steps after which a run's own pace says something."""
