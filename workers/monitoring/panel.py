"""The detectors of a run together. One that raises is switched off and told; the others go on."""

from collections.abc import Iterable, Mapping
from typing import Any

from workers.monitoring.detectors import (
    activation_drift,
    attention_entropy,
    attention_logits,
    clip_saturation,
    data_starvation,
    dead_units,
    divergence,
    effective_rank,
    feature_speed,
    gradient_explosion,
    gradient_vanishing,
    memory_growth,
    non_finite,
    odd_batch,
    plateau,
    repeated_batch,
    source_loss,
    spike,
    straggler,
    throughput_fall,
    update_ratio,
)
from workers.monitoring.detectors._shared import Detector, Sighting
from workers.specs.monitoring import Detector as DetectorSpec

_BUILDERS: dict[str, Any] = {
    "spike": spike.SpikeDetector,
    "non_finite": non_finite.NonFiniteDetector,
    "odd_batch": odd_batch.OddBatchDetector,
    "attention_logits": attention_logits.AttentionLogitsDetector,
    "divergence": divergence.DivergenceDetector,
    "plateau": plateau.PlateauDetector,
    "clip_saturation": clip_saturation.ClipSaturationDetector,
    "source_loss": source_loss.SourceLossDetector,
    "repeated_batch": repeated_batch.RepeatedBatchDetector,
    "throughput_fall": throughput_fall.ThroughputFallDetector,
    "data_starvation": data_starvation.DataStarvationDetector,
    "memory_growth": memory_growth.MemoryGrowthDetector,
    "straggler": straggler.StragglerDetector,
    "gradient_explosion": gradient_explosion.GradientExplosionDetector,
    "gradient_vanishing": gradient_vanishing.GradientVanishingDetector,
    "update_ratio": update_ratio.UpdateRatioDetector,
    "activation_drift": activation_drift.ActivationDriftDetector,
    "dead_units": dead_units.DeadUnitsDetector,
    "attention_entropy": attention_entropy.AttentionEntropyDetector,
    "effective_rank": effective_rank.EffectiveRankDetector,
    "feature_speed": feature_speed.FeatureSpeedDetector,
}


def build_detector(spec: DetectorSpec) -> Detector:
    """The detector that a spec asks for."""
    detector: Detector = _BUILDERS[spec.kind](spec)
    return detector


class Panel:
    """Asks all detectors that are not switched off."""

    def __init__(self, specs: Iterable[DetectorSpec]) -> None:
        self.detectors = [build_detector(spec) for spec in specs]
        self.failed: dict[int, str] = {}
        """What went wrong in a detector, by its number."""

    def observe(
        self, step: int, values: Mapping[str, float], lr_scale: float
    ) -> tuple[list[Sighting], list[tuple[str, str]]]:
        """What the detectors saw, and (kind, error) of those that have just failed."""
        sightings: list[Sighting] = []
        failures = []
        for number, detector in self._working():
            try:
                sightings += detector.observe(step, values, lr_scale)
            except Exception as error:  # whatever it is, a run of weeks must not end by it
                self.failed[number] = f"{type(error).__name__}: {error}"
                failures.append((detector.kind, self.failed[number]))
        return sightings, failures

    def pending(self) -> list[tuple[int, str]]:
        """(onset, series) of all series that are over their threshold now."""
        return [pending for _, detector in self._working() for pending in detector.pending()]

    def rewind(self, step: int) -> None:
        """Forget everything from `step` on."""
        for _, detector in self._working():
            detector.rewind(step)

    def restart(self) -> None:
        """Learn all levels anew."""
        for _, detector in self._working():
            detector.rewind(0)

    def _working(self) -> list[tuple[int, Detector]]:
        return [(number, d) for number, d in enumerate(self.detectors) if number not in self.failed]

    def state_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "detectors": [{"kind": d.kind, "state": d.state_dict()} for d in self.detectors],
            "failed": {str(number): error for number, error in self.failed.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state from `state_dict`. Raises ValueError when it is of other detectors."""
        saved, own = [part["kind"] for part in state["detectors"]], [d.kind for d in self.detectors]
        if saved != own:
            raise ValueError(
                f"the saved controller has the detectors {', '.join(saved)}; the spec has {', '.join(own)}"
            )
        for detector, part in zip(self.detectors, state["detectors"], strict=True):
            detector.load_state_dict(part["state"])
        self.failed = {int(number): error for number, error in state["failed"].items()}
