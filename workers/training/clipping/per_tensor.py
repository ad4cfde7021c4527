"""Clipping by the norm of each tensor's gradient."""

from torch import Tensor

from workers.specs.training.clipping import PerTensor
from workers.training.clipping._shared import Clipped, Stateless, limit_norms, tensor_norms


class PerTensorClipper(Stateless):
    """One limit for each tensor by itself."""

    def __init__(self, spec: PerTensor) -> None:
        self.spec = spec

    def clip(self, grads: list[Tensor], norm: float, scale: float) -> Clipped:
        return limit_norms(grads, tensor_norms(grads), [self.spec.max_norm * scale] * len(grads))[0]


def build(spec: PerTensor) -> PerTensorClipper:
    """The clipper of this spec."""
    return PerTensorClipper(spec)
