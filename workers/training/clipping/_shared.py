"""What the kinds of clipping share."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class Clipped(NamedTuple):
    """What clipping did."""

    norm: float
    """Joint norm of the gradient after it."""
    share: float
    """Share of the tensors that it changed."""


class Clipper(Protocol):
    """One kind of clipping, with what it remembers."""

    def clip(self, grads: list[Tensor], norm: float, scale: float) -> Clipped:
        """Clip in place. `norm` is the joint norm, already measured and finite; `scale` multiplies the limits."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What must travel in checkpoints, as JSON."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        ...


class Stateless:
    """Nothing to remember."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        return


def tensor_norms(grads: Sequence[Tensor]) -> list[float]:
    """Norm of each tensor, in one transfer from the device."""
    norms: list[float] = torch.stack(torch._foreach_norm(list(grads))).double().tolist()
    return norms


def limit_norm(grads: list[Tensor], norm: float, max_norm: float) -> Clipped:
    """Scale all so that the joint norm is at most `max_norm`."""
    if norm <= max_norm:
        return Clipped(norm, 0.0)
    torch._foreach_mul_(grads, max_norm / norm)
    return Clipped(max_norm, 1.0)


def limit_norms(grads: list[Tensor], norms: Sequence[float], limits: Sequence[float]) -> tuple[Clipped, list[float]]:
    """Scale each so that its norm is at most its limit; and the norms after it."""
    over = [i for i, (norm, limit) in enumerate(zip(norms, limits, strict=True)) if norm > limit]
    if over:
        torch._foreach_mul_([grads[i] for i in over], [limits[i] / norms[i] for i in over])
    after = [min(norm, limit) for norm, limit in zip(norms, limits, strict=True)]
    return Clipped(math.hypot(*after), len(over) / max(len(grads), 1)), after
