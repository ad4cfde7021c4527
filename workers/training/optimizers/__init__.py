"""Optimizers, one file a kind."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.specs.training.optimizers import Optimizer
from workers.training.optimizers import adamw, muon, muon_clip, spam
from workers.training.optimizers._shared import OptimizerSet

_BUILDERS: dict[str, Callable[[Any, nn.Module], OptimizerSet]] = {
    "adamw": adamw.build,
    "spam": spam.build,
    "muon": muon.build,
    "muon_clip": muon_clip.build,
}


def build_optimizer(spec: Optimizer, model: nn.Module, losses: nn.Module | None = None) -> OptimizerSet:
    """The optimizer that `spec` describes, over the parameters of `model`.

    What losses learn themselves (projections to a teacher) goes to AdamW without decay, at the same rate.
    """
    optimizers = _BUILDERS[spec.kind](spec, model)
    weights = dict(losses.named_parameters(prefix="losses")) if losses else {}
    if weights:
        adamw = torch.optim.AdamW(
            [{"params": list(weights.values()), "role": "losses", "lr_factor": 1.0}],
            lr=spec.lr,
            betas=(spec.beta1, spec.beta2),
            eps=spec.eps,
            weight_decay=0.0,
            fused=True,
        )
        optimizers.add_part("losses", adamw, weights)
    return optimizers
