"""Optimizers, one file a kind."""

from collections.abc import Callable
from typing import Any

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


def build_optimizer(spec: Optimizer, model: nn.Module) -> OptimizerSet:
    """The optimizer that `spec` describes, over the parameters of `model`."""
    return _BUILDERS[spec.kind](spec, model)
