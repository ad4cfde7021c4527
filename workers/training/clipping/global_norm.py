"""Clipping by the norm of the whole gradient. arXiv 1211.5063"""

from torch import Tensor

from workers.specs.training.clipping import GlobalNorm
from workers.training.clipping._shared import Clipped, Stateless, limit_norm


class GlobalNormClipper(Stateless):
    """One limit for all."""

    def __init__(self, spec: GlobalNorm) -> None:
        self.spec = spec

    def clip(self, grads: list[Tensor], norm: float, scale: float) -> Clipped:
        return limit_norm(grads, norm, self.spec.max_norm * scale)


def build(spec: GlobalNorm) -> GlobalNormClipper:
    """The clipper of this spec."""
    return GlobalNormClipper(spec)
