"""SPAM: AdamW with spike-aware clipping and momentum reset. arXiv 2501.06842, algorithm 1

Where g^2 > threshold x v, g becomes sign(g) sqrt(threshold x v). Every `reset_steps` steps both moments start afresh,
and the rate warms up again over `rewarm_steps` by a cosine. An entry without a second moment yet is not cut.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.specs.training.optimizers import Spam
from workers.training.optimizers._shared import OptimizerSet, group_parameters


class SpamAdamW(torch.optim.AdamW):
    """AdamW's arguments and state. Where a parameter stands between two resets is its own `step`, which restarts."""

    def __init__(self, params: Any, *, spec: Spam, **arguments: Any) -> None:
        super().__init__(params, **arguments)
        self.spec = spec

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Apply the gradients. `closure` is not supported."""
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if parameter.grad is None or not state:
                    continue
                if int(state["step"]) >= self.spec.reset_steps:
                    state["step"].zero_()
                    state["exp_avg"].zero_()
                    state["exp_avg_sq"].zero_()
                    state["rewarm"] = torch.ones(())
                bound = (self.spec.threshold * state["exp_avg_sq"]).sqrt_()
                bound.masked_fill_(bound == 0, float("inf"))
                parameter.grad.clamp_(-bound, bound)
        peak = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] *= self._warmth(group)
        super().step()
        for group, lr in zip(self.param_groups, peak, strict=True):
            group["lr"] = lr

    def _warmth(self, group: dict[str, Any]) -> float:
        """Factor of the rate: 1, or on the way up after a reset. The first moments of a run are the schedule's."""
        states = [self.state[p] for p in group["params"] if self.state[p]]
        if not states or "rewarm" not in states[0]:
            return 1.0
        done = min((int(states[0]["step"]) + 1) / self.spec.rewarm_steps, 1.0)
        return (1 - math.cos(math.pi * done)) / 2


def build(spec: Spam, model: nn.Module) -> OptimizerSet:
    """SPAM over all parameters of `model`."""
    groups = group_parameters(model, lr=spec.lr, weight_decay=spec.weight_decay, eps=spec.eps)
    spam = SpamAdamW(groups, spec=spec, lr=spec.lr, betas=(spec.beta1, spec.beta2), eps=spec.eps, foreach=True)
    return OptimizerSet(model, {"spam": spam})
