"""Attention logits grow out of their range: softmax saturates, and in bfloat16 they lose their digits.

QK growth precedes the divergence that it causes: arXiv 2302.05442 (section 3.1), arXiv 2309.14322. The series is the
largest logit over all heads and layers, at the steps that are measured.
"""

import math
from collections.abc import Mapping
from typing import Any

from workers.monitoring.detectors._shared import Sighting, median
from workers.specs.monitoring import AttentionLogits

SERIES = "max_attention_logit"


class AttentionLogitsDetector:
    """Speaks once for each episode."""

    kind = "attention_logits"

    def __init__(self, spec: AttentionLogits) -> None:
        self.spec = spec
        self._past: list[tuple[int, float]] = []
        self._over = False

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Logits in their range become past."""
        if SERIES not in values:
            return []
        value, known = values[SERIES], [v for _, v in self._past]
        level = median(known) if len(known) >= self.spec.min_probes else math.inf
        limit = min(max(self.spec.factor * level, self.spec.min_logit), self.spec.max_logit)
        if value <= limit:
            self._over = False
            self._past = [*self._past, (step, value)][-self.spec.window_probes :]
            return []
        told, self._over = self._over, True
        return [] if told else [self._sighting(step, value, limit, level)]

    def _sighting(self, step: int, value: float, limit: float, level: float) -> Sighting:
        return Sighting(
            detector=self.kind,
            series=SERIES,
            step=step,
            onset=self._past[-1][0] + 1 if self._past else step,
            value=value,
            severity="warning",
            message=f"the largest attention logit is {value:.4g}, over its limit {limit:.4g}",
            threshold=limit,
            baseline=level if math.isfinite(level) else None,
        )

    def pending(self) -> list[tuple[int, str]]:
        """Never any: it speaks at once."""
        return []

    def rewind(self, step: int) -> None:
        """Forget the probes from `step` on."""
        self._past = [point for point in self._past if point[0] < step]
        self._over = False

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {"past": [list(point) for point in self._past], "over": self._over}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self._past, self._over = [(int(s), float(v)) for s, v in state["past"]], bool(state["over"])
