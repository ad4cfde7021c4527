"""Monitoring: telemetry -> findings -> interventions -> verified outcome."""

from typing import Literal

from workers.specs.base import Spec
from workers.specs.monitoring.detectors import (
    DEFAULT_DETECTORS,
    AttentionLogits,
    Detector,
    Divergence,
    FindingKind,
    NonFinite,
    OddBatch,
    Spike,
)
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
from workers.specs.monitoring.liveness import StallWatch
from workers.specs.monitoring.policy import Policy
from workers.specs.monitoring.rules import Rule
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

__all__ = [
    "ActivationDrift",
    "AttentionEntropy",
    "AttentionLogits",
    "ClipSaturation",
    "DataStarvation",
    "DeadUnits",
    "Detector",
    "Divergence",
    "EffectiveRank",
    "FeatureSpeed",
    "FindingKind",
    "GradientExplosion",
    "GradientVanishing",
    "MemoryGrowth",
    "Mode",
    "Monitoring",
    "NonFinite",
    "OddBatch",
    "Plateau",
    "Policy",
    "RepeatedBatch",
    "Rule",
    "SourceLoss",
    "Spike",
    "StallWatch",
    "Straggler",
    "ThroughputFall",
    "UpdateRatio",
]

Mode = Literal["off", "shadow", "approve", "auto"]


class Monitoring(Spec):
    """The controller in the training loop."""

    mode: Mode = "auto"
    """`shadow` records what it would do, `approve` waits for a person's yes before it acts."""
    detectors: list[Detector] = DEFAULT_DETECTORS
    policy: Policy = Policy()
