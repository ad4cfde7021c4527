"""Actions: what the controller does about a finding. They are carried out together, at a step boundary."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class DiscardUpdate(Spec):
    """Do not apply this step's gradient. Left out where the weights have changed already."""

    kind: Literal["discard_update"] = "discard_update"


class Rollback(Spec):
    """Go back to the newest checkpoint that predates the onset."""

    kind: Literal["rollback"] = "rollback"
    margin_steps: int = Field(1, ge=0)
    """Quiet steps that must lie between checkpoint and onset: they confirm that the checkpoint is good."""


class SkipBatches(Spec):
    """Leave out the batches since the onset, and more after them."""

    kind: Literal["skip_batches"] = "skip_batches"
    num_batches: int = Field(4, ge=0)
    """Batches left out after the offending one."""


class ScaleLr(Spec):
    """Lower the learning rate: `lr_scale` is multiplied."""

    kind: Literal["scale_lr"] = "scale_lr"
    factor: float = Field(0.5, gt=0, lt=1)
    to_level: bool = False
    """Scale further, by as much as the update norm lies over its level."""
    recover_steps: int = Field(0, ge=0)
    """Steps in which it climbs back, once the run is verified good; 0: it stays. It climbs once in a run: if trouble
    returns, the rate was the cause."""


class TightenClip(Spec):
    """Multiply the limits of clipping by a factor below 1."""

    kind: Literal["tighten_clip"] = "tighten_clip"
    factor: float = Field(0.5, gt=0, lt=1)
    recover_steps: int = Field(0, ge=0)
    """Steps in which it goes back, once the run is verified good; 0: it stays."""


class LoosenClip(Spec):
    """Multiply the limits of clipping by a factor above 1."""

    kind: Literal["loosen_clip"] = "loosen_clip"
    factor: float = Field(2.0, gt=1, le=100)


class SwitchClip(Spec):
    """Clip in another way from now on, with that kind's default settings."""

    kind: Literal["switch_clip"] = "switch_clip"
    to: Literal["global_norm", "per_tensor", "adagc", "zclip"] = "adagc"


class ResetMoments(Spec):
    """Forget the optimizer's moments, and warm the learning rate up again."""

    kind: Literal["reset_moments"] = "reset_moments"
    rewarm_steps: int = Field(50, ge=0)
    """Steps from a tenth of the rate back to where it was."""


class QkClip(Spec):
    """From now on scale the queries of heads whose attention logits exceed a limit, after each step.

    arXiv 2507.20534
    """

    kind: Literal["qk_clip"] = "qk_clip"
    max_logit: float = Field(100.0, gt=0)
    to_level: bool = True
    """Lower the limit to twice the largest logit before the growth, where that is known and less."""


class RaiseEpsilon(Spec):
    """Multiply the optimizers' epsilon: entries with tiny second moments get smaller updates."""

    kind: Literal["raise_epsilon"] = "raise_epsilon"
    factor: float = Field(10.0, gt=1, le=1e6)


class LowerBeta2(Spec):
    """Shorten the memory of the second moment, so that it follows the gradient faster."""

    kind: Literal["lower_beta2"] = "lower_beta2"
    value: float = Field(0.95, ge=0.5, lt=1)


class LowerSource(Spec):
    """Learn less from the source of the mixture that the finding is about: of its sequences only a share counts in the
    loss. Left out where the finding is about no source."""

    kind: Literal["lower_source"] = "lower_source"
    factor: float = Field(0.5, ge=0, lt=1)
    """Multiplies the share that counts; 0: none of it."""


class CheckpointNow(Spec):
    """Write a checkpoint."""

    kind: Literal["checkpoint_now"] = "checkpoint_now"


class Pause(Spec):
    """Write a checkpoint and wait for a person."""

    kind: Literal["pause"] = "pause"


class Stop(Spec):
    """Write a checkpoint and end the run as failed."""

    kind: Literal["stop"] = "stop"


Action = Annotated[
    DiscardUpdate
    | Rollback
    | SkipBatches
    | ScaleLr
    | TightenClip
    | LoosenClip
    | SwitchClip
    | ResetMoments
    | QkClip
    | RaiseEpsilon
    | LowerBeta2
    | LowerSource
    | CheckpointNow
    | Pause
    | Stop,
    Field(discriminator="kind"),
]
