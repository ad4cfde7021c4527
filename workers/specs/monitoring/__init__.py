"""Monitoring: telemetry -> findings -> interventions -> verified outcome."""

from typing import Literal

from workers.specs.base import Spec
from workers.specs.monitoring.detectors import (
    AttentionLogits,
    Detector,
    Divergence,
    FindingKind,
    NonFinite,
    OddBatch,
    Spike,
)
from workers.specs.monitoring.liveness import StallWatch
from workers.specs.monitoring.policy import Policy
from workers.specs.monitoring.rules import Rule

__all__ = [
    "AttentionLogits",
    "Detector",
    "Divergence",
    "FindingKind",
    "Mode",
    "Monitoring",
    "NonFinite",
    "OddBatch",
    "Policy",
    "Rule",
    "Spike",
    "StallWatch",
]

Mode = Literal["off", "shadow", "approve", "auto"]


class Monitoring(Spec):
    """The controller in the training loop."""

    mode: Mode = "auto"
    """`shadow` records what it would do, `approve` waits for a person's yes before it acts."""
    detectors: list[Detector] = [NonFinite(), OddBatch(), Spike(), Divergence(), AttentionLogits()]
    policy: Policy = Policy()
