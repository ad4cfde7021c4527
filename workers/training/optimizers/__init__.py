"""Optimizers, one file a kind."""

from torch import nn

from workers.specs.training.optimizers import Muon, Optimizer
from workers.training.optimizers import adamw, muon
from workers.training.optimizers._shared import OptimizerSet


def build_optimizer(spec: Optimizer, model: nn.Module) -> OptimizerSet:
    """The optimizer that `spec` describes, over the parameters of `model`."""
    return muon.build(spec, model) if isinstance(spec, Muon) else adamw.build(spec, model)
