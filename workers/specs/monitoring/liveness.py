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
