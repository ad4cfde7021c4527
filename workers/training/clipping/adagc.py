"""AdaGC: each tensor against the running mean of its own clipped norms. arXiv 2502.11034, algorithm 1"""

from typing import Any

from torch import Tensor

from workers.specs.training.clipping import AdaGC
from workers.training.clipping._shared import Clipped, limit_norm, limit_norms, tensor_norms


class AdaGCClipper:
    """`gammas` holds the running mean of each tensor's clipped norm, in the order of the gradients."""

    def __init__(self, spec: AdaGC) -> None:
        self.spec = spec
        self.num_steps = 0
        self.gammas: list[float] = []

    def clip(self, grads: list[Tensor], norm: float, scale: float) -> Clipped:
        norms = tensor_norms(grads)
        warm = self.num_steps >= self.spec.warmup_steps and len(self.gammas) == len(grads)
        self.num_steps += 1
        if not warm:
            clipped = limit_norm(grads, norm, self.spec.max_norm * scale)
            after = [n * clipped.norm / norm if norm else 0.0 for n in norms]
            known = self.gammas if len(self.gammas) == len(grads) else after
            self.gammas = [min(gamma, n) for gamma, n in zip(known, after, strict=True)]
            return clipped
        clipped, after = limit_norms(grads, norms, [self.spec.relative * scale * gamma for gamma in self.gammas])
        beta = self.spec.beta
        self.gammas = [beta * gamma + (1 - beta) * n for gamma, n in zip(self.gammas, after, strict=True)]
        return clipped

    def state_dict(self) -> dict[str, Any]:
        return {"num_steps": self.num_steps, "gammas": self.gammas}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.num_steps, self.gammas = int(state.get("num_steps", 0)), list(state.get("gammas", []))


def build(spec: AdaGC) -> AdaGCClipper:
    """The clipper of this spec."""
    return AdaGCClipper(spec)
