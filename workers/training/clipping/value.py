"""Clipping of each entry by its magnitude."""

import math

import torch
from torch import Tensor

from workers.specs.training.clipping import Value
from workers.training.clipping._shared import Clipped, Stateless, tensor_norms


class ValueClipper(Stateless):
    """One limit for every entry."""

    def __init__(self, spec: Value) -> None:
        self.spec = spec

    def clip(self, grads: list[Tensor], norm: float, scale: float) -> Clipped:
        limit = self.spec.max_value * scale
        largest = torch.stack(torch._foreach_norm(grads, float("inf"))).tolist()
        over = [grad for grad, value in zip(grads, largest, strict=True) if value > limit]
        if not over:
            return Clipped(norm, 0.0)
        torch._foreach_clamp_min_(over, -limit)
        torch._foreach_clamp_max_(over, limit)
        return Clipped(math.hypot(*tensor_norms(grads)), len(over) / len(grads))


def build(spec: Value) -> ValueClipper:
    """The clipper of this spec."""
    return ValueClipper(spec)
