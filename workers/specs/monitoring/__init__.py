"""Monitoring: telemetry -> findings -> interventions -> verified outcome."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class Spike(Spec):
    """A series rises far over its own recent past: robust z-score on a rolling window (median and MAD of the log)."""

    kind: Literal["spike"] = "spike"
    series: list[Literal["loss", "grad_norm", "update_norm"]] = ["loss", "grad_norm", "update_norm"]
    """Watched series. Update norms spike before losses do."""
    window_steps: int = Field(128, ge=16)
    """Length of the past it compares with."""
    min_steps: int = Field(48, ge=8)
    """Steps seen before it judges: warm-up is no alarm."""
    threshold: float = Field(8.0, gt=0)
    """Robust z-score that counts as a spike."""
    patience_steps: int = Field(2, ge=1)
    """Steps in a row over the threshold before it speaks."""


class NonFinite(Spec):
    """Loss, gradient or update is NaN or infinite. Seen before the weights change."""

    kind: Literal["non_finite"] = "non_finite"


Detector = Annotated[Spike | NonFinite, Field(discriminator="kind")]


class Response(Spec):
    """What is done about a finding, all together, at a step boundary."""

    rollback: bool = True
    """Go back to the last good checkpoint."""
    skip_batches: int = Field(4, ge=0)
    """Batches left out after the offending one."""
    lr_factor: float = Field(0.5, gt=0, le=1)
    """`lr_scale` is multiplied by it."""
    clip_factor: float = Field(0.5, gt=0, le=1)
    """The clipping norm is multiplied by it."""


class Monitoring(Spec):
    """The controller in the training loop."""

    mode: Literal["off", "shadow", "auto"] = "auto"
    """`shadow` records what it would do."""
    detectors: list[Detector] = [NonFinite(), Spike()]
    response: Response = Response()
    verify_steps: int = Field(40, ge=1)
    """Steps within which the loss must be back under its level before the finding."""
    budget: int = Field(8, ge=0)
    """Interventions a run may have. Used up: a checkpoint is written and the run fails with a message."""
    min_lr_scale: float = Field(0.01, gt=0, le=1)


class StallWatch(Spec):
    """What the scheduled monitoring flow looks for."""

    kind: Literal["stall_watch"] = "stall_watch"
    dead_after_seconds: float = Field(120.0, ge=5)
    """Silence of a running run's worker after which it counts as dead."""
    stalled_after_seconds: float = Field(600.0, ge=5)
    """Time without a new step after which a live run counts as stalled."""
