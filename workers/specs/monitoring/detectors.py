"""Detectors: what the controller looks for in the figures of a run."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec
from workers.specs.monitoring.layer_detectors import (
    ActivationDrift,
    AttentionEntropy,
    DeadUnits,
    EffectiveRank,
    FeatureSpeed,
    GradientExplosion,
    GradientVanishing,
    UpdateRatio,
)
from workers.specs.monitoring.run_detectors import (
    ClipSaturation,
    DataStarvation,
    MemoryGrowth,
    Plateau,
    RepeatedBatch,
    SourceLoss,
    Straggler,
    ThroughputFall,
)


class Spike(Spec):
    """A series rises far over its own recent past: robust z-score on a rolling window (median and MAD of the log)."""

    kind: Literal["spike"] = "spike"
    series: list[Literal["loss", "grad_norm", "update_norm", "weight_norm"]] = [
        "loss",
        "grad_norm",
        "update_norm",
        "weight_norm",
    ]
    """Watched series. Update norms spike before losses do; the weight norm jumps when a weight is broken."""
    window_steps: int = Field(128, ge=16)
    """Length of the past it compares with."""
    min_steps: int = Field(48, ge=8)
    """Steps seen before it judges: warm-up is no alarm."""
    threshold: float = Field(8.0, gt=0)
    """Robust z-score that counts as a spike."""
    patience_steps: int = Field(2, ge=1)
    """Steps in a row over the threshold before it speaks; of the weight norm, one."""


class NonFinite(Spec):
    """Loss, gradient, update or weight is NaN or infinite. The first two are seen before the weights change."""

    kind: Literal["non_finite"] = "non_finite"


class OddBatch(Spec):
    """The tokens of a batch are not like the training text: garbage, one token repeated, another language.

    Seen before the weights change, by the divergence of the batch's token counts from those of the training text.
    """

    kind: Literal["odd_batch"] = "odd_batch"
    window_steps: int = Field(128, ge=16)
    """Length of the past it compares with."""
    min_steps: int = Field(24, ge=8)
    """Steps seen before it judges."""
    threshold: float = Field(14.0, gt=0)
    """Robust z-score that counts as odd."""
    lasting_threshold: float = Field(5.0, gt=0)
    """Robust z-score that counts when it lasts: another language is no garbage, but a change of the data."""
    lasting_steps: int = Field(4, ge=1)
    """Batches in a row over it."""
    min_rise_nats: float = Field(0.3, gt=0)
    """Rise of the divergence that counts, in nats per token, whatever the z-score: batches of one source are all
    alike, and a small difference is no fault."""


class AttentionLogits(Spec):
    """The largest attention logit grows out of its range (QK growth); needs `telemetry.every_steps`."""

    kind: Literal["attention_logits"] = "attention_logits"
    factor: float = Field(3.0, gt=1)
    """Times the median of the past that counts."""
    min_logit: float = Field(30.0, gt=0)
    """Logits below are no alarm, however fast they grew."""
    window_probes: int = Field(32, ge=4)
    """Length of the past it compares with."""
    min_probes: int = Field(3, ge=2)
    """Probes seen before it judges by growth."""
    max_logit: float = Field(1e4, gt=0)
    """Alarm without any past: bfloat16 keeps three digits, so that logits this large differ by whole units."""


class Divergence(Spec):
    """The loss rises slowly: its median over a window lies over the lowest such median so far."""

    kind: Literal["divergence"] = "divergence"
    window_steps: int = Field(24, ge=4)
    """Steps whose median is taken."""
    rise: float = Field(0.12, gt=0)
    """Rise that counts, as a share of the lowest median."""
    num_sigmas: float = Field(6.0, gt=0)
    """The rise must also be so many standard errors of a window's median."""
    min_steps: int = Field(48, ge=8)
    """Steps seen before it judges."""


Detector = Annotated[
    Spike
    | NonFinite
    | OddBatch
    | AttentionLogits
    | Divergence
    | Plateau
    | ClipSaturation
    | SourceLoss
    | RepeatedBatch
    | ThroughputFall
    | DataStarvation
    | MemoryGrowth
    | Straggler
    | GradientExplosion
    | GradientVanishing
    | UpdateRatio
    | ActivationDrift
    | DeadUnits
    | AttentionEntropy
    | EffectiveRank
    | FeatureSpeed,
    Field(discriminator="kind"),
]

DEFAULT_DETECTORS: list[Detector] = [
    NonFinite(),
    OddBatch(),
    Spike(),
    Divergence(),
    AttentionLogits(),
    Plateau(),
    ClipSaturation(),
    SourceLoss(),
    RepeatedBatch(),
    ThroughputFall(),
    DataStarvation(),
    MemoryGrowth(),
    Straggler(),
    GradientExplosion(),
    GradientVanishing(),
    UpdateRatio(),
    ActivationDrift(),
    DeadUnits(),
    AttentionEntropy(),
    EffectiveRank(),
    FeatureSpeed(),
]
"""All of them. What the default policy has no rule for is told, and nothing is done."""

FindingKind = Literal[
    "non_finite",
    "loss_spike",
    "gradient_spike",
    "update_spike",
    "weight_spike",
    "large_update",
    "odd_batch",
    "repeated_batch",
    "attention_logits",
    "attention_entropy",
    "gradient_explosion",
    "update_ratio",
    "activation_drift",
    "gradient_vanishing",
    "dead_units",
    "effective_rank",
    "feature_speed",
    "source_loss",
    "clip_saturation",
    "divergence",
    "plateau",
    "straggler",
    "data_starvation",
    "memory_growth",
    "throughput_fall",
]
"""What a rule can be about. Spikes are told apart by the series that went wrong first. Of findings with the same onset
the first in this order counts as the cause."""
