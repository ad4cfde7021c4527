"""Clipping by the norm of the whole gradient. arXiv 1211.5063"""

import torch
from torch import Tensor


def clip(grads: list[Tensor], norm: float, max_norm: float) -> float:
    """Scale `grads` in place so that their joint norm is at most `max_norm`; the norm after it.

    `norm` is their joint norm, already measured. A norm that is not finite leaves them as they are.
    """
    if not norm > max_norm or norm == float("inf"):
        return norm
    torch._foreach_mul_(grads, max_norm / norm)
    return max_norm
