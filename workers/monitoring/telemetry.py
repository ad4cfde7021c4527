"""What the training loop tells the controller at each step, and what it is told to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workers.specs.events import Finding, Intervention


@dataclass(slots=True, frozen=True)
class Telemetry:
    """Figures of one step, reduced over ranks. `update_norm` is None before the update is made."""

    step: int
    loss: float
    grad_norm: float
    lr: float
    update_norm: float | None = None
    layers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Series by layer, one figure a block from the first to the last. Empty at steps that are not measured
    (`telemetry.every_steps`).

    `grad_norm`, `activation_rms` (of the residual stream after the block) and `max_attention_logit` (over its heads)
    are there before and after the update, `weight_norm` and `update_ratio` (norm of the update over norm of the
    weights) after it.
    """


@dataclass(slots=True)
class Decision:
    """What the trainer does now, at a step boundary. All fields at rest: carry on.

    The trainer carries out and reports; the controller has already put the new
    `lr_scale` and `clip_scale` into itself.
    """

    findings: list[Finding] = field(default_factory=list)
    interventions: list[Intervention] = field(default_factory=list)
    """New ones, and old ones whose outcome is now known."""
    discard_update: bool = False
    """Do not apply this step's gradient."""
    rollback: bool = False
    """Load the last good checkpoint: the newest saved before `rollback_before_step`."""
    rollback_before_step: int = 0
    skip_batches: int = 0
    """Batches to leave out from the offending one on."""
    stop: str | None = None
    """Why the run must end with a checkpoint and a failure: the budget is used up."""


class Watch(Protocol):
    """The controller as the trainer sees it: a pure state machine, identical on every rank."""

    lr_scale: float
    clip_scale: float

    def before_update(self, telemetry: Telemetry) -> Decision:
        """Judge loss and gradient before the weights change (non-finite, spike)."""
        ...

    def after_update(self, telemetry: Telemetry) -> Decision:
        """Judge the finished step, and verify earlier interventions."""
        ...

    def rolled_back(self, to_step: int | None) -> list[Intervention]:
        """Tell it where a roll-back led; None: there was no good checkpoint. Updated interventions to report."""
        ...

    def stage_changed(self, step: int) -> None:
        """From `step` on the data or the schedule are others by plan: levels are learnt anew."""
        ...

    def state_dict(self) -> dict[str, object]:
        """JSON-able state, kept in checkpoints."""
        ...

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take up a state from `state_dict`."""
        ...
