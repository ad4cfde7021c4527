"""Detectors of what goes on inside the model: figures of its layers, at the steps that are measured.

Norms, activations and update ratios come every `telemetry.every_steps`, what a fixed batch shows every
`telemetry.probe_every_steps`.
"""

from typing import Literal

from pydantic import Field

from workers.specs.base import Spec


class LayerDetector(Spec):
    """What they have in common: each layer is held against its own past."""

    window_probes: int = Field(32, ge=4)
    """Length of the past it compares with, in measurements."""
    min_probes: int = Field(5, ge=2)
    """Measurements seen before it judges: the first ones belong to warm-up."""
    patience_probes: int = Field(2, ge=1)
    """Measurements in a row over the threshold before it speaks."""


class GradientExplosion(LayerDetector):
    """The gradient of one layer rises far over its past; the norm of the whole may still hide it."""

    kind: Literal["gradient_explosion"] = "gradient_explosion"
    factor: float = Field(10.0, gt=1)
    """Times its level that counts."""
    threshold: float = Field(8.0, gt=0)
    """Robust z-score of the logarithm that it must have too."""


class GradientVanishing(LayerDetector):
    """The gradient of one layer falls far under its past, while the layers together do not."""

    kind: Literal["gradient_vanishing"] = "gradient_vanishing"
    factor: float = Field(0.02, gt=0, lt=1)
    """Share of its level that counts."""
    threshold: float = Field(8.0, gt=0)
    """Robust z-score of the logarithm that it must have too, downwards."""


class UpdateRatio(LayerDetector):
    """A layer's updates are far too large, or far too small, for its weights. The schedule's part is taken out."""

    kind: Literal["update_ratio"] = "update_ratio"
    factor: float = Field(5.0, gt=1)
    """Times its level, or one part of so many, that counts."""
    max_ratio: float = Field(0.5, gt=0)
    """Norm of the update over norm of the weights that counts without any past, at once, as the finding `large_update`:
    a layer that changes by half in one step forgets what it has learnt."""


class ActivationDrift(LayerDetector):
    """The residual stream after a layer grows far over its past."""

    kind: Literal["activation_drift"] = "activation_drift"
    min_probes: int = Field(12, ge=2)
    """Measurements seen before it judges: in the first hundred steps the stream grows several times over."""
    factor: float = Field(4.0, gt=1)
    """Times its level that counts."""


class DeadUnits(LayerDetector):
    """Units of a feed-forward layer answer to nothing any more, on a fixed batch."""

    kind: Literal["dead_units"] = "dead_units"
    patience_probes: int = Field(1, ge=1)
    """Measurements in a row over the threshold before it speaks."""
    min_probes: int = Field(2, ge=2)
    """Measurements seen before it judges."""
    rise: float = Field(0.2, gt=0, lt=1)
    """Share of the units that died since, which counts."""
    max_share: float = Field(0.6, gt=0, le=1)
    """Share that counts without any past."""


class AttentionEntropy(LayerDetector):
    """Attention collapses: each token looks at one place. Seen on a fixed batch, as a mean over heads."""

    kind: Literal["attention_entropy"] = "attention_entropy"
    patience_probes: int = Field(1, ge=1)
    """Measurements in a row over the threshold before it speaks."""
    min_probes: int = Field(2, ge=2)
    """Measurements seen before it judges."""
    factor: float = Field(0.4, gt=0, lt=1)
    """Share of its level that counts."""
    max_entropy: float = Field(0.25, gt=0, le=1)
    """Entropy over that of looking everywhere alike: above it there is no alarm, however fast it fell."""


class EffectiveRank(LayerDetector):
    """Features collapse: the hidden states of a fixed batch need ever fewer directions, and the loss gains nothing."""

    kind: Literal["effective_rank"] = "effective_rank"
    patience_probes: int = Field(1, ge=1)
    """Measurements in a row over the threshold before it speaks."""
    min_probes: int = Field(3, ge=2)
    """Measurements seen before it judges."""
    factor: float = Field(0.5, gt=0, lt=1)
    """Share of its level that counts."""
    min_gain: float = Field(0.02, ge=0)
    """Fall of the loss since, as a share, that excuses it: learning may need fewer directions."""


class FeatureSpeed(LayerDetector):
    """Hidden states of a fixed batch change far faster, or far more slowly, than before at the same learning rate."""

    kind: Literal["feature_speed"] = "feature_speed"
    patience_probes: int = Field(1, ge=1)
    """Measurements in a row over the threshold before it speaks."""
    min_probes: int = Field(4, ge=2)
    """Measurements seen before it judges."""
    factor: float = Field(8.0, gt=1)
    """Times its level, or one part of so many, that counts."""
