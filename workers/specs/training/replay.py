"""Counterfactual replay of an intervention: the run once more from before it, with it and without."""

from pydantic import Field

from workers.specs.base import Digest, Spec
from workers.specs.monitoring import Policy


class Replay(Spec):
    """Which intervention of which run; everything else of the spec is that of the run itself."""

    run: str | None = Field(None, max_length=100)
    """Id of the run whose intervention it is: the verdict is kept there."""
    intervention: str = Field(min_length=1, max_length=200)
    """Its id."""
    checkpoint: Digest | None = None
    """The checkpoint from before it, as the run has kept it."""
    command: dict[str, object] | None = None
    """What a person asked for (`kind`, `arguments`); none: the controller did it, and will do it again."""
    step: int = Field(0, ge=0)
    """Step at which the person's command was carried out."""
    window_steps: int = Field(100, ge=1)
    """Steps after the intervention's that are trained."""
    policy: Policy | None = None
    """Other actions to try beside: a third curve."""
