"""Learning-rate schedules: a factor in [0, 1] by step."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class Wsd(Spec):
    """Warm-up, stable, linear decay to 0. arXiv 2405.18392"""

    kind: Literal["wsd"] = "wsd"
    warmup_steps: int = Field(50, ge=0)
    decay_share: float = Field(0.2, ge=0, le=1)
    """Share of all steps spent in the decay."""


class Cosine(Spec):
    """Warm-up, then half a cosine down to `min_factor`. arXiv 1608.03983"""

    kind: Literal["cosine"] = "cosine"
    warmup_steps: int = Field(50, ge=0)
    min_factor: float = Field(0.1, ge=0, le=1)


Schedule = Annotated[Wsd | Cosine, Field(discriminator="kind")]
