"""What the training loop tells the controller at each step, and what it is told to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workers.specs.events import Finding, Intervention
from workers.specs.monitoring import Mode


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
    are there before and after the update, `weight_norm`, `update_norm` and `update_ratio` (norm of the update over norm
    of the weights, of the matrices alone) after it. Every `telemetry.probe_every_steps`, of a fixed batch:
    `dead_units`, `attention_entropy`, `effective_rank` and, but for the first time, `feature_speed`.
    """
    scheduled_lr: float | None = None
    """What the spec alone makes the rate, without `lr_scale`: what a schedule does is no alarm."""
    scalars: Mapping[str, float] = field(default_factory=dict)
    """Further figures of this moment, by series."""


AFTER_UPDATE = ("update_ratio", "update_norm", "weight_norm")
"""Series by layer that only the update makes."""


def by_layer(layers: Mapping[str, Sequence[float]], leave_out: Sequence[str] = ()) -> dict[str, float]:
    """Series by layer as single figures: `layers/03/grad_norm`."""
    return {
        f"layers/{number:02d}/{series}": value
        for series, values in layers.items()
        if series not in leave_out
        for number, value in enumerate(values)
    }


@dataclass(slots=True, frozen=True)
class Settings:
    """What the controller has changed for good, beside the two scales. None and 1: as the spec says.

    The trainer brings clipping, attention, optimizer and loss in line with it, after a resume too.
    """

    clipping: str | None = None
    """Kind of clipping."""
    max_logit: float | None = None
    """Limit of QK-clip."""
    epsilon_factor: float = 1.0
    beta2: float | None = None
    source_shares: Mapping[str, float] = field(default_factory=dict)
    """Of these sources only so many of their sequences count in the loss."""


@dataclass(slots=True)
class Decision:
    """What the trainer does now, at a step boundary. All fields at rest: carry on.

    The trainer carries out and reports; the controller has already put the new scales and settings into itself.
    """

    findings: list[Finding] = field(default_factory=list)
    interventions: list[Intervention] = field(default_factory=list)
    """New ones, and old ones whose outcome is now known."""
    discard_update: bool = False
    """Do not apply this step's gradient."""
    rollback: bool = False
    """Load the last good checkpoint: the newest saved before `rollback_before_step`."""
    rollback_before_step: int = 0
    reset_moments: bool = False
    """Forget the optimizer's state, after the roll-back if there is one."""
    skip_batches: int = 0
    """Batches to leave out from the offending one on."""
    checkpoint: bool = False
    """Write a checkpoint after this step."""
    stop: str | None = None
    """Why the run must end with a checkpoint and a failure."""


class Watch(Protocol):
    """The controller as the trainer sees it: a pure state machine, identical on every rank."""

    mode: Mode
    lr_scale: float
    clip_scale: float
    settings: Settings
    hold: str | None
    """Why training has to wait for a person, with a checkpoint; None: it need not."""
    reminder_seconds: float
    """Time without an answer after which the hold is told again."""

    def before_update(self, telemetry: Telemetry) -> Decision:
        """Judge loss, gradient and batch before the weights change."""
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

    def answer(self, intervention_id: str, approved: bool, author: str, step: int) -> Decision:
        """A person's answer to a proposed intervention. Raises ValueError when none of this id waits."""
        ...

    def resumed(self) -> list[Intervention]:
        """A person lets the run go on: ends the hold, renews a used-up budget. A proposal counts as rejected."""
        ...

    def set_mode(self, mode: Mode, step: int) -> list[Intervention]:
        """Act otherwise from now on. A proposal that waits is rejected. Raises ValueError when it cannot."""
        ...

    def state_dict(self) -> dict[str, object]:
        """JSON-able state, kept in checkpoints."""
        ...

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take up a state from `state_dict`."""
        ...
