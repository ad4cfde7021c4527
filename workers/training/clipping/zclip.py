"""ZClip: the gradient's norm by its z-score among the norms before it. arXiv 2504.02507, algorithm 1

Mean and variance are fed the norm as the z-score left it, before the hard maximum: a run whose norms all lie over the
maximum would otherwise see a variance of 0.
"""

from typing import Any

from torch import Tensor

from workers.specs.training.clipping import ZClip
from workers.training.clipping._shared import Clipped, limit_norm

_EPS = 1e-6


class ZClipClipper:
    """Running mean and variance of the norm, from the norms of the warm-up on."""

    def __init__(self, spec: ZClip) -> None:
        self.spec = spec
        self.gathered: list[float] = []
        self.mean, self.variance = 0.0, 0.0

    def clip(self, grads: list[Tensor], norm: float, scale: float) -> Clipped:
        allowed = self._allowed(norm)
        self._learn(min(norm, allowed))
        return limit_norm(grads, norm, min(allowed, self.spec.max_norm * scale))

    def _allowed(self, norm: float) -> float:
        """The norm itself, or what it is clipped to when its z-score is too large: further out, harder."""
        if len(self.gathered) < self.spec.warmup_steps:
            return norm
        deviation = self.variance**0.5
        z = (norm - self.mean) / (deviation + _EPS)
        if z <= self.spec.max_z:
            return norm
        return self.mean + self.spec.max_z * deviation / (z / self.spec.max_z)

    def _learn(self, norm: float) -> None:
        if len(self.gathered) < self.spec.warmup_steps:
            self.gathered.append(norm)
            self.mean = sum(self.gathered) / len(self.gathered)
            self.variance = sum((n - self.mean) ** 2 for n in self.gathered) / len(self.gathered)
            return
        alpha = self.spec.alpha
        self.mean = alpha * self.mean + (1 - alpha) * norm
        self.variance = alpha * self.variance + (1 - alpha) * (norm - self.mean) ** 2

    def state_dict(self) -> dict[str, Any]:
        return {"gathered": self.gathered, "mean": self.mean, "variance": self.variance}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.gathered = list(state.get("gathered", []))
        self.mean, self.variance = float(state.get("mean", 0.0)), float(state.get("variance", 0.0))


def build(spec: ZClip) -> ZClipClipper:
    """The clipper of this spec."""
    return ZClipClipper(spec)
